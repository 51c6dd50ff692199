"""The references in deploy/README.md and compose.yaml are valid."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.compose.prepare import prepare
from deploy.local.home import ROOT
from deploy.manifests.processes import COMMANDS, COMPOSE
from deploy.manifests.rendering import KUBERNETES, Resource
from tests.manifests.conftest import find

DEPLOY = ROOT / "deploy"
PAGE = (DEPLOY / "README.md").read_text()


@pytest.fixture
def compose() -> dict[str, Any]:
    services: dict[str, Any] = yaml.safe_load(COMPOSE.read_text())["services"]
    return services


def test_every_link_has_a_target() -> None:
    targets = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", PAGE)
    assert targets
    assert [target for target in targets if not (DEPLOY / target).exists()] == []


def test_the_page_lists_every_command_component_and_alert(production: list[Resource]) -> None:
    for command in COMMANDS:
        assert f"| `{' '.join(command)}` |" in PAGE
    for component in (KUBERNETES / "components").iterdir():
        assert f"`{component.name}`" in PAGE or component.name == "local-servers"
    groups = find(production, "PrometheusRule", "tandem")["spec"]["groups"]
    alerts = {rule["alert"] for group in groups for rule in group["rules"]}
    listed = PAGE.partition("## Alerts")[2].partition("\n## ")[0]
    assert set(re.findall(r"`(Tandem\w+)`", listed)) == alerts


def test_all_secrets_that_compose_mounts_are_created(
    compose: dict[str, Any], tmp_path: Path
) -> None:
    prepare(tmp_path)
    mounted = {
        volume.split(":")[0].removeprefix("./secrets/")
        for service in compose.values()
        for volume in service.get("volumes", [])
        if volume.startswith("./secrets/")
    }
    assert mounted
    assert [name for name in sorted(mounted) if not any((tmp_path / name).iterdir())] == []


def test_compose_starts_services_in_order_and_restricts_them(compose: dict[str, Any]) -> None:
    for name, service in compose.items():
        for needed, how in service.get("depends_on", {}).items():
            ends = (
                "healthcheck" not in compose[needed] or "disable" in compose[needed]["healthcheck"]
            )
            expected = "service_completed_successfully" if ends else "service_healthy"
            assert how["condition"] == expected, f"{name} on {needed}"
        if "TANDEM_IMAGE" in service["image"]:
            assert service["read_only"], name
            assert "no-new-privileges:true" in service["security_opt"], name
    scaled = compose["projector"]
    assert "ports" not in scaled
    assert "container_name" not in scaled
