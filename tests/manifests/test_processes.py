"""What a process is given where it is run, against what its code reads."""

from dataclasses import replace
from typing import Any

import pytest

from deploy.manifests.process_settings import process_violations, variables
from deploy.manifests.processes import COMMANDS, Process, in_compose, in_kubernetes
from deploy.manifests.rendering import Resource

QUERIES = Process(
    place="here",
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


def with_environment(**more: str) -> Process:
    return replace(QUERIES, environment={**QUERIES.environment, **more})


def test_a_process_that_has_what_it_reads_is_fine() -> None:
    assert list(process_violations(QUERIES)) == []


@pytest.mark.parametrize(
    ("process", "violation"),
    [
        (replace(QUERIES, command=("query_service", "run")), "there is no command"),
        (with_environment(REDIS_ULR="x"), "REDIS_ULR is no setting"),
        (with_environment(MAX_CONCURRENT_BATCHES="2"), "MAX_CONCURRENT_BATCHES is no setting"),
        (with_environment(MOST_WAITING="many"), "MOST_WAITING: "),
        (with_environment(REDIS_URL="redis://x"), "redis_url is hidden"),
        (with_environment(PORT="9000"), "it listens on 9000, not on 8080"),
        (with_environment(JWKS_URL="file:///elsewhere/jwks.json"), "nothing is mounted"),
        (with_environment(SECRETS_DIR="/elsewhere"), "nothing is mounted"),
        (replace(QUERIES, secrets=frozenset()), "REDIS_URL is not given"),
        (replace(QUERIES, secrets=frozenset({"redis_url", "key"})), "the secret key is no setting"),
        (replace(QUERIES, ports=frozenset({8080, 9090})), "it listens on 8080, not on 9090"),
        (replace(QUERIES, probes=frozenset({"/healthz"})), "it does not serve /healthz"),
    ],
)
def test_what_does_not_agree_is_told(process: Process, violation: str) -> None:
    [found] = process_violations(process)
    assert violation in found


def test_every_way_to_run_tandem_runs_all_of_it(
    local: list[Resource], production: list[Resource]
) -> None:
    for processes in (in_kubernetes(local), in_compose()):
        assert {process.command for process in processes} >= set(COMMANDS) - {
            ("command_service", "await-schema")
        }
    # Strimzi makes the topics there.
    commands = {process.command for process in in_kubernetes(production)}
    assert commands == set(COMMANDS) - {("command_service", "topics")}


def test_each_committed_process_agrees_with_the_code(
    local: list[Resource], production: list[Resource]
) -> None:
    processes = [*in_kubernetes(local), *in_kubernetes(production), *in_compose()]
    assert [line for process in processes for line in process_violations(process)] == []


def test_containers_are_read_with_their_files_and_ports(local: list[Resource]) -> None:
    [relay] = [p for p in in_kubernetes(local) if p.command == ("command_service", "relay")]
    assert relay.secrets == {"database_url"}
    assert relay.ports == {8080}
    assert relay.probes == {"/livez", "/readyz"}
    assert set(relay.environment) <= {"SECRETS_DIR", *variables(COMMANDS[relay.command])}


def test_a_probe_of_a_port_that_is_not_there_is_told(local: list[Resource]) -> None:
    for resource in local:
        if resource["metadata"]["name"] == "relay" and resource["kind"] == "Deployment":
            container: dict[str, Any] = resource["spec"]["template"]["spec"]["containers"][0]
            container["livenessProbe"]["httpGet"]["port"] = "metrics"
    found = [line for process in in_kubernetes(local) for line in process_violations(process)]
    assert len(found) == 1
    assert "the port that a probe names" in found[0]
