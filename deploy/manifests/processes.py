"""Tandem's processes in the manifests: command, environment, secrets, mounts and ports."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

from command_service.relay.settings import CreateTopicsSettings, RelaySettings
from command_service.settings import AwaitSettings, MigrateSettings, ServeSettings
from deploy.compose.prepare import SECRETS_OF
from deploy.local.home import ROOT
from deploy.manifests.rendering import Resource
from projector.settings import ProjectorSettings
from query_service.settings import QuerySettings
from shared.settings import ProcessSettings

COMMANDS: Final[Mapping[tuple[str, ...], type[ProcessSettings]]] = {
    ("command_service", "serve"): ServeSettings,
    ("command_service", "relay"): RelaySettings,
    ("projector", "run"): ProjectorSettings,
    ("query_service",): QuerySettings,
    ("command_service", "migrate"): MigrateSettings,
    ("command_service", "await-schema"): AwaitSettings,
    ("command_service", "topics"): CreateTopicsSettings,
}
"""What follows `python -m`, and the settings that it reads."""

COMPOSE: Final = ROOT / "deploy" / "compose" / "compose.yaml"
IMAGE: Final = "tandem"


@dataclass(frozen=True, slots=True)
class Process:
    """One container of Tandem's image. `secrets`: the names of the files in SECRETS_DIR."""

    location: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    secrets: frozenset[str] = frozenset()
    mounts: frozenset[str] = frozenset()
    ports: frozenset[int] = frozenset()
    probes: frozenset[str] = field(default_factory=frozenset)
    """The paths of the probes."""


def image_environment() -> dict[str, str]:
    """The environment that the Dockerfile sets for every process."""
    [block] = re.findall(
        r"^ENV ((?:[^\n\\]|\\\n)*)", (ROOT / "Dockerfile").read_text(), re.MULTILINE
    )
    return dict(pair.split("=", 1) for pair in block.replace("\\\n", " ").split())


def pods(resources: list[Resource]) -> Iterator[tuple[Resource, dict[str, Any]]]:
    """Each resource with a pod template, and the pod spec."""
    for resource in resources:
        if resource["kind"] in ("Deployment", "StatefulSet", "Job"):
            yield resource, resource["spec"]["template"]["spec"]


def in_kubernetes(resources: list[Resource]) -> list[Process]:
    """The containers with Tandem's image."""
    config = {r["metadata"]["name"]: r["data"] for r in resources if r["kind"] == "ConfigMap"}
    return [
        _container(f"{resource['kind']} {resource['metadata']['name']}", container, pod, config)
        for resource, pod in pods(resources)
        for container in [*pod.get("initContainers", []), *pod["containers"]]
        if container["image"].partition("@")[0].rpartition("/")[2].partition(":")[0] == IMAGE
    ]


def in_compose() -> list[Process]:
    """The services with Tandem's image, except those that create secrets and tokens."""
    services = yaml.load(COMPOSE.read_text(), yaml.CSafeLoader)["services"]
    return [
        _service(name, service)
        for name, service in services.items()
        if "TANDEM_IMAGE" in service["image"]
        and "./secrets:/secrets" not in service.get("volumes", [])
    ]


def _container(
    owner: str, container: dict[str, Any], pod: dict[str, Any], config: Mapping[str, Any]
) -> Process:
    environment: dict[str, str] = {}
    for source in container.get("envFrom", []):
        environment |= config[source["configMapRef"]["name"]]
    environment |= {variable["name"]: variable["value"] for variable in container.get("env", [])}
    mounts = {mount["mountPath"]: mount["name"] for mount in container.get("volumeMounts", [])}
    ports = {port["name"]: port["containerPort"] for port in container.get("ports", [])}
    probes = [container[kind]["httpGet"] for kind in container if kind.endswith("Probe")]
    unknown_ports = {probe["port"] for probe in probes} - set(ports)
    return Process(
        f"{owner}, container {container['name']}",
        tuple(container["args"]),
        environment,
        frozenset(_secret_files(pod, mounts.get(environment.get("SECRETS_DIR", "")))),
        frozenset(mounts),
        frozenset({*ports.values(), *(0 for _ in unknown_ports)}),
        frozenset(probe["path"] for probe in probes),
    )


def _secret_files(pod: dict[str, Any], volume: str | None) -> Iterator[str]:
    for candidate in pod.get("volumes", []):
        if candidate["name"] == volume:
            for source in candidate["projected"]["sources"]:
                yield from (item["path"] for item in source["secret"]["items"])


def _service(name: str, service: dict[str, Any]) -> Process:
    volumes = [volume.split(":") for volume in service.get("volumes", [])]
    environment = {key: str(value) for key, value in service.get("environment", {}).items()}
    known = {f"./secrets/{owner}": secrets for owner, secrets in SECRETS_OF.items()}
    secrets = [
        secret
        for source, target, *_ in volumes
        if target == environment.get("SECRETS_DIR")
        for secret in known.get(source, ())
    ]
    check = service.get("healthcheck", {}).get("test", [])
    return Process(
        f"compose service {name}",
        tuple(service["command"]),
        environment,
        frozenset(secrets),
        frozenset(target for _, target, *_ in volumes),
        frozenset(int(port.rpartition(":")[2]) for port in service.get("ports", [])),
        frozenset(f"/{check[-1]}" for _ in check[:1]),
    )
