"""Checks that everything that a manifest references exists in the code or in another manifest."""

import json
from collections.abc import Callable, Iterator
from typing import Any, Final

from command_service.relay.settings import CreateTopicsSettings
from command_service.relay.topics import topic_configs
from deploy.contracts.files import COMMANDS_FILE, QUERIES_FILE
from deploy.local.home import ROOT
from deploy.local.secrets import ADMIN, POSTGRES_ROLES, REDIS_ROLES
from deploy.manifests.processes import pods
from deploy.manifests.rendering import Resource
from projector.settings import ProjectorSettings
from shared.contracts.shards import TOPICS

BACKENDS: Final = {"command-service": COMMANDS_FILE, "query-service": QUERIES_FILE}
MADE_BY_STRIMZI: Final = frozenset({"events-cluster-ca-cert"})
MADE_BY_CLOUDNATIVE_PG: Final = frozenset({"write-store-ca"})
AUTOSCALERS: Final = ("HorizontalPodAutoscaler", "ScaledObject")


def reference_violations(resources: list[Resource], secrets: dict[str, set[str]]) -> list[str]:
    """`secrets`: Secrets from other sources, name to keys."""
    checks: list[Callable[[list[Resource]], Iterator[str]]] = [
        _scaling,
        _topics,
        _kafka_users,
        _roles,
        _routes,
        _services,
    ]
    found = [violation for check in checks for violation in check(resources)]
    return [*found, *_secrets(resources, secrets)]


def of_kind(resources: list[Resource], *kinds: str) -> Iterator[Resource]:
    return (resource for resource in resources if resource["kind"] in kinds)


def partitions(resources: list[Resource]) -> int:
    """The setting PARTITIONS of the processes."""
    [found] = [
        int(config["data"]["PARTITIONS"])
        for config in of_kind(resources, "ConfigMap")
        if "PARTITIONS" in config["data"]
    ]
    return found


def _scaling(resources: list[Resource]) -> Iterator[str]:
    deployments = {d["metadata"]["name"]: d for d in of_kind(resources, "Deployment")}
    owners: dict[str, str] = {}
    for autoscaler in of_kind(resources, *AUTOSCALERS):
        name, target = autoscaler["metadata"]["name"], autoscaler["spec"]["scaleTargetRef"]["name"]
        if target not in deployments:
            yield f"{autoscaler['kind']} {name}: there is no Deployment {target}"
        elif "replicas" in deployments[target]["spec"]:
            yield f"Deployment {target}: replicas is set, but its {autoscaler['kind']} owns it"
        if target in owners:
            yield f"{target} has two autoscalers: {owners[target]} and {autoscaler['kind']}"
        owners[target] = autoscaler["kind"]
    for scaled in of_kind(resources, "ScaledObject"):
        yield from _scaled(scaled, partitions(resources))


def _scaled(scaled: Resource, partitions: int) -> Iterator[str]:
    name, spec = scaled["metadata"]["name"], scaled["spec"]
    if spec["maxReplicaCount"] != partitions:
        yield f"ScaledObject {name}: maxReplicaCount is not PARTITIONS, {partitions}"
    kafka = [t["metadata"] for t in spec["triggers"] if t["type"] == "kafka"]
    if kafka and {trigger["topic"] for trigger in kafka} != set(TOPICS):
        yield f"ScaledObject {name}: its topics are not {', '.join(TOPICS)}"
    group = ProjectorSettings.model_fields["consumer_group"].default
    if any(trigger["consumerGroup"] != group for trigger in kafka):
        yield f"ScaledObject {name}: the consumer group is {group}"


def _topics(resources: list[Resource]) -> Iterator[str]:
    topics = {
        topic["metadata"]["name"]: topic["spec"] for topic in of_kind(resources, "KafkaTopic")
    }
    if topics and set(topics) != set(TOPICS):
        yield f"the KafkaTopics are not {', '.join(TOPICS)}"
    for name, spec in topics.items():
        if spec["partitions"] != partitions(resources):
            yield f"KafkaTopic {name}: partitions is not PARTITIONS"
        for key, value in topic_configs(name, _topic_settings(resources)).items():
            if str(spec["config"].get(key)) != value:
                yield f"KafkaTopic {name}: {key} must be {value}"


def _topic_settings(resources: list[Resource]) -> CreateTopicsSettings:
    data: dict[str, Any] = {}
    for config in of_kind(resources, "ConfigMap"):
        data |= config["data"]
    known = {name: data[name.upper()] for name in ("retention_ms", "segment_ms")}
    return CreateTopicsSettings(kafka_bootstrap_servers="unused:9092", **known)


def _kafka_users(resources: list[Resource]) -> Iterator[str]:
    for user in of_kind(resources, "KafkaUser"):
        for acl in user["spec"]["authorization"]["acls"]:
            resource = acl["resource"]
            group = ProjectorSettings.model_fields["consumer_group"].default
            known = TOPICS if resource["type"] == "topic" else (group,)
            if resource["name"] not in known:
                yield f"KafkaUser {user['metadata']['name']}: no {resource['type']} has this name"


def _roles(resources: list[Resource]) -> Iterator[str]:
    for cluster in of_kind(resources, "Cluster"):
        owner = cluster["spec"]["bootstrap"]["initdb"]["owner"]
        roles = {owner, *(role["name"] for role in cluster["spec"]["managed"]["roles"])}
        if roles != set(POSTGRES_ROLES):
            yield f"Cluster {cluster['metadata']['name']}: its roles are not those of roles.sql"
    for secret in of_kind(resources, "ExternalSecret"):
        known = {
            "tandem/postgres": set(POSTGRES_ROLES),
            "tandem/redis": {*REDIS_ROLES, ADMIN, "users.acl"},
        }
        for part in secret["spec"]["data"]:
            reference = part["remoteRef"]
            if reference["property"] not in known.get(reference["key"], set()):
                yield f"ExternalSecret {secret['metadata']['name']}: no {reference['property']}"


def _routes(resources: list[Resource]) -> Iterator[str]:
    """Each published operation is routed to its service."""
    for route in of_kind(resources, "HTTPRoute"):
        for backend, document in BACKENDS.items():
            paths = json.loads((ROOT / document).read_text())["paths"]
            for path, operations in paths.items():
                for method in operations:
                    if path.startswith("/v1") and _backend(route, method, path) != backend:
                        yield f"HTTPRoute: {method.upper()} {path} is not routed to {backend}"


def _backend(route: Resource, method: str, path: str) -> str | None:
    for rule in route["spec"]["rules"]:
        for match in rule["matches"]:
            prefix = match["path"]["value"]
            if match["method"] == method.upper() and f"{path}/".startswith(f"{prefix}/"):
                return str(rule["backendRefs"][0]["name"])
    return None


def _services(resources: list[Resource]) -> Iterator[str]:
    """Services and routes use existing ports."""
    ports = {
        service["metadata"]["name"]: {port["port"] for port in service["spec"]["ports"]}
        for service in of_kind(resources, "Service")
    }
    for service in of_kind(resources, "Service"):
        target_ports = {port["targetPort"] for port in service["spec"]["ports"]}
        if not target_ports <= set(_named_ports(resources, service["spec"]["selector"])):
            yield f"Service {service['metadata']['name']}: no selected pod has these ports"
    for route in of_kind(resources, "HTTPRoute"):
        for backend in (ref for rule in route["spec"]["rules"] for ref in rule["backendRefs"]):
            if backend["port"] not in ports.get(backend["name"], set()):
                yield f"HTTPRoute: there is no {backend['name']}:{backend['port']}"


def _named_ports(resources: list[Resource], selector: dict[str, str]) -> Iterator[str]:
    for resource, pod in pods(resources):
        if selector.items() <= resource["spec"]["template"]["metadata"]["labels"].items():
            for container in pod["containers"]:
                yield from (port["name"] for port in container.get("ports", []))


def _secrets(resources: list[Resource], external: dict[str, set[str]]) -> Iterator[str]:
    known = {name: set(keys) for name, keys in external.items()}
    for secret in of_kind(resources, "ExternalSecret"):
        target = secret["spec"]["target"]
        keys = target.get("template", {}).get("data") or [
            part["secretKey"] for part in secret["spec"]["data"]
        ]
        known[target["name"]] = set(keys)
    for user in of_kind(resources, "KafkaUser"):
        known[user["metadata"]["name"]] = {"user.crt", "user.key"}
    if any(of_kind(resources, "Kafka")):
        known |= {name: {"ca.crt"} for name in MADE_BY_STRIMZI}
    if any(of_kind(resources, "Cluster")):
        known |= {name: {"ca.crt"} for name in MADE_BY_CLOUDNATIVE_PG}
    for resource, pod in pods(resources):
        for name, keys in _used_secrets(pod):
            if not keys <= known.get(name, set()) or name not in known:
                yield f"{resource['kind']} {resource['metadata']['name']}: no Secret {name} {keys}"


def _used_secrets(pod: dict[str, Any]) -> Iterator[tuple[str, set[str]]]:
    for volume in pod.get("volumes", []):
        sources = [part["secret"] for part in volume.get("projected", {}).get("sources", [])]
        for source in [*sources, *([volume["secret"]] if "secret" in volume else [])]:
            name = source.get("name") or source["secretName"]
            yield name, {item["key"] for item in source.get("items", [])}
