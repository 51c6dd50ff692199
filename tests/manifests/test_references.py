"""A manifest that references something missing, or sets what another owns, is reported."""

from collections.abc import Callable
from typing import Any

import pytest

from deploy.manifests.metric_references import metric_violations
from deploy.manifests.references import reference_violations
from deploy.manifests.rendering import Resource
from deploy.manifests.run_checks import local_secret_keys
from tests.manifests.conftest import find

Change = Callable[[dict[str, Any]], Any]


def route_writes_to_queries(spec: dict[str, Any]) -> None:
    spec["rules"][0]["backendRefs"][0]["name"] = "query-service"


def remove_patch_and_put(spec: dict[str, Any]) -> None:
    del spec["rules"][0]["matches"][1]


def secret_key(spec: dict[str, Any]) -> None:
    [volume] = [v for v in spec["template"]["spec"]["volumes"] if v["name"] == "secrets"]
    volume["projected"]["sources"][0]["secret"]["items"][0]["key"] = "uri"


CHANGES: list[tuple[str, str, Change, str]] = [
    ("Deployment", "relay", lambda s: s.update(replicas=2), "its ScaledObject owns it"),
    ("Deployment", "query-service", lambda s: s.update(replicas=2), "PodAutoscaler owns it"),
    ("HorizontalPodAutoscaler", "query-service",
     lambda s: s["scaleTargetRef"].update(name="queries"), "there is no Deployment queries"),
    ("HorizontalPodAutoscaler", "query-service",
     lambda s: s["scaleTargetRef"].update(name="relay"), "relay has two autoscalers"),
    ("ScaledObject", "projector", lambda s: s.update(maxReplicaCount=24), "is not PARTITIONS, 12"),
    ("ScaledObject", "projector",
     lambda s: s["triggers"][0]["metadata"].update(topic="user"), "its topics are not"),
    ("ScaledObject", "projector",
     lambda s: s["triggers"][0]["metadata"].update(consumerGroup="p"), "the consumer group is"),
    ("KafkaTopic", "orders", lambda s: s.update(partitions=6), "partitions is not PARTITIONS"),
    ("KafkaTopic", "orders",
     lambda s: s["config"].update({"retention.ms": -1}), "retention.ms must be 604800000"),
    ("KafkaUser", "kafka-projector",
     lambda s: s["authorization"]["acls"][3]["resource"].update(name="p"), "no group has"),
    ("Cluster", "write-store", lambda s: s["managed"]["roles"].pop(), "are not those of roles.sql"),
    ("ExternalSecret", "relay",
     lambda s: s["data"][0]["remoteRef"].update(property="tandem_rely"), "no tandem_rely"),
    ("HTTPRoute", "tandem", route_writes_to_queries, "is not routed to command-service"),
    ("HTTPRoute", "tandem", remove_patch_and_put, "PUT /v1/users/{id}/name is not routed to"),
    ("Service", "query-service",
     lambda s: s["ports"][0].update(targetPort="web"), "no selected pod has these ports"),
    ("Service", "query-service", lambda s: s["ports"][0].update(port=81), "query-service:80"),
    ("Deployment", "relay", secret_key, "no Secret relay {'uri'}"),
]  # fmt: skip


def test_the_committed_manifests_reference_existing_names(
    production: list[Resource], local: list[Resource]
) -> None:
    assert reference_violations(production, {}) == []
    assert reference_violations(local, local_secret_keys()) == []


@pytest.mark.parametrize(("kind", "name", "change", "violation"), CHANGES)
def test_a_wrong_name_is_reported(
    production: list[Resource], kind: str, name: str, change: Change, violation: str
) -> None:
    change(find(production, kind, name)["spec"])
    found = reference_violations(production, {})
    assert any(violation in line for line in found), found


def test_an_unknown_topic_is_reported(production: list[Resource]) -> None:
    find(production, "KafkaTopic", "orders")["metadata"]["name"] = "order"
    assert any("the KafkaTopics are not" in line for line in reference_violations(production, {}))


def test_only_exported_metrics_are_used(production: list[Resource]) -> None:
    assert metric_violations(production) == []
    rules = find(production, "PrometheusRule", "tandem")["spec"]["groups"][0]["rules"]
    rules[0]["expr"] = "tandem_oldest_unpublished_seconds > 1"
    relay = find(production, "ScaledObject", "relay")["spec"]["triggers"][0]["metadata"]
    relay["query"] = "max(tandem_unpublished)"
    dashboard = find(production, "ConfigMap", "tandem-dashboard")["data"]
    dashboard["tandem.json"] = dashboard["tandem.json"].replace("tandem_commands_total", "tandem_c")
    found = metric_violations(production)
    assert [line.rpartition(" ")[2] for line in found] == [
        "tandem_c",
        "tandem_unpublished",
        "tandem_oldest_unpublished_seconds",
    ]
