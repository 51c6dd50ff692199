"""The settings in the manifests match those that the processes read."""

from dataclasses import replace
from typing import Any

import pytest

from deploy.manifests.process_settings import process_violations, variables
from deploy.manifests.processes import COMMANDS, Process, in_compose, in_kubernetes
from deploy.manifests.rendering import Resource

QUERIES = Process(
    location="here",
    command=("query_service",),
    environment={
        "SECRETS_DIR": "/secrets",
        "JWKS_URL": "file:///keys/jwks.json",
        "JWT_ISSUER": "x",
        "JWT_AUDIENCE": "x",
    },
    secrets=frozenset({"redis_url"}),
    mounts=frozenset({"/secrets", "/keys"}),
    ports=frozenset({8080}),
    probes=frozenset({"/livez", "/readyz"}),
)


def with_environment(**changes: str) -> Process:
    return replace(QUERIES, environment={**QUERIES.environment, **changes})


def test_a_process_with_its_settings_has_no_violation() -> None:
    assert list(process_violations(QUERIES)) == []


@pytest.mark.parametrize(
    ("process", "violation"),
    [
        (replace(QUERIES, command=("query_service", "run")), "there is no command"),
        (with_environment(REDIS_ULR="x"), "REDIS_ULR is not a setting"),
        (with_environment(MAX_CONCURRENT_BATCHES="2"), "MAX_CONCURRENT_BATCHES is not a setting"),
        (with_environment(MAX_WAITING_READS="many"), "MAX_WAITING_READS: "),
        (with_environment(REDIS_URL="redis://x"), "redis_url is overridden"),
        (with_environment(PORT="9000"), "it listens on 9000 and 9090, not on 8080"),
        (with_environment(JWKS_URL="file:///elsewhere/jwks.json"), "is not mounted"),
        (with_environment(SECRETS_DIR="/elsewhere"), "is not mounted"),
        (replace(QUERIES, secrets=frozenset()), "REDIS_URL is not set"),
        (
            replace(QUERIES, secrets=frozenset({"redis_url", "key"})),
            "secret key is not a setting",
        ),
        (replace(QUERIES, ports=frozenset({8080, 9999})), "8080 and 9090, not on 9999"),
        (replace(QUERIES, probes=frozenset({"/healthz"})), "it does not serve /healthz"),
    ],
)
def test_a_mismatch_is_reported(process: Process, violation: str) -> None:
    [found] = process_violations(process)
    assert violation in found


def test_every_deployment_runs_all_commands(
    local: list[Resource], production: list[Resource]
) -> None:
    for processes in (in_kubernetes(local), in_compose()):
        assert {process.command for process in processes} >= set(COMMANDS) - {
            ("command_service", "await-schema")
        }
    # Strimzi creates the topics there.
    commands = {process.command for process in in_kubernetes(production)}
    assert commands == set(COMMANDS) - {("command_service", "topics")}


def test_all_committed_processes_match_the_code(
    local: list[Resource], production: list[Resource]
) -> None:
    processes = [*in_kubernetes(local), *in_kubernetes(production), *in_compose()]
    assert [line for process in processes for line in process_violations(process)] == []


def test_containers_are_parsed_with_their_secrets_and_ports(local: list[Resource]) -> None:
    [relay] = [p for p in in_kubernetes(local) if p.command == ("command_service", "relay")]
    assert relay.secrets == {"database_url"}
    assert relay.ports == {9090}
    assert relay.probes == {"/livez", "/readyz"}
    assert set(relay.environment) <= {"SECRETS_DIR", *variables(COMMANDS[relay.command])}


def test_a_probe_of_an_unknown_port_is_reported(local: list[Resource]) -> None:
    for resource in local:
        if resource["metadata"]["name"] == "relay" and resource["kind"] == "Deployment":
            container: dict[str, Any] = resource["spec"]["template"]["spec"]["containers"][0]
            container["livenessProbe"]["httpGet"]["port"] = "metrics"
    found = [line for process in in_kubernetes(local) for line in process_violations(process)]
    assert len(found) == 1
    assert "the port of a probe" in found[0]
