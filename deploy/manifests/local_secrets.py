"""The Secrets of the overlay `local`, from the directory that deploy/compose/prepare.py writes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

NAMESPACE: Final = "tandem"
NOT_FOR_PODS: Final = ("keys",)
"""The private key that signs tokens."""
PUBLIC: Final = ("jwks",)


def local_secrets(directory: Path) -> list[dict[str, Any]]:
    """A Secret for each service and server, and the public keys as a ConfigMap."""
    parts = [part for part in sorted(directory.iterdir()) if part.is_dir()]
    return [_resource(part) for part in parts if part.name not in NOT_FOR_PODS]


def keys_of(resources: list[dict[str, Any]]) -> Mapping[str, set[str]]:
    """The Secrets: name to keys."""
    secrets = [resource for resource in resources if resource["kind"] == "Secret"]
    return {secret["metadata"]["name"]: set(secret["stringData"]) for secret in secrets}


def as_yaml(resources: list[dict[str, Any]]) -> str:
    return yaml.safe_dump_all(resources, sort_keys=False)


def _resource(part: Path) -> dict[str, Any]:
    public = part.name in PUBLIC
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap" if public else "Secret",
        "metadata": {"name": part.name, "namespace": NAMESPACE},
        "data" if public else "stringData": {
            file.name: file.read_text() for file in sorted(part.iterdir())
        },
    }
