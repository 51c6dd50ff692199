"""The committed manifests, as copies that tests can modify."""

import copy
from functools import cache

import pytest

from deploy.manifests.rendering import RENDERED, Resource, resources


@cache
def committed(overlay: str) -> list[Resource]:
    return resources((RENDERED / f"{overlay}.yaml").read_text())


@pytest.fixture
def production() -> list[Resource]:
    return copy.deepcopy(committed("production"))


@pytest.fixture
def local() -> list[Resource]:
    return copy.deepcopy(committed("local"))


def find(resources: list[Resource], kind: str, name: str) -> Resource:
    [found] = [r for r in resources if (r["kind"], r["metadata"]["name"]) == (kind, name)]
    return found
