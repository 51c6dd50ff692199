"""Invalid combinations of the settings of Kafka and Redis are reported in one line each."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from projector.settings import ProjectorSettings
from shared.redis.clients import nodes_of
from shared.redis.cluster import Address
from shared.settings import format_errors

VALID = {
    "port": 0,
    "database_url": "postgresql://localhost",
    "kafka_bootstrap_servers": "one:9092",
    "redis_url": "redis://user:secret@one:6379/0",
}
TLS = {"kafka_security_protocol": "SASL_SSL", "kafka_sasl_mechanism": "PLAIN"}
USER = {"kafka_sasl_username": "tandem", "kafka_sasl_password": "secret"}


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        (TLS, "KAFKA_SASL_USERNAME: is required by KAFKA_SECURITY_PROTOCOL=SASL_SSL"),
        (USER, "KAFKA_SASL_USERNAME: has no effect with KAFKA_SECURITY_PROTOCOL=PLAINTEXT"),
        (
            {"kafka_ca_file": "/there"},
            "KAFKA_CA_FILE: has no effect with KAFKA_SECURITY_PROTOCOL=PLAINTEXT",
        ),
        (
            {"kafka_security_protocol": "SSL", "kafka_certificate_file": "/there"},
            "KAFKA_KEY_FILE: is required by a client certificate",
        ),
        (
            {"kafka_security_protocol": "SSL", "kafka_ca_file": "/not/there"},
            "KAFKA_CA_FILE: cannot be read (No such file or directory)",
        ),
        (
            {"redis_url": "redis://one:1,two:2/0"},
            "REDIS_CLUSTER: must be true if REDIS_URL names several nodes",
        ),
        (
            {"redis_url": "redis://one:1,/0", "redis_cluster": "true"},
            "REDIS_URL: names no server, or has an extra comma",
        ),
        ({"redis_url": "http://one"}, "REDIS_URL: must begin with redis:// or rediss://"),
        ({"redis_ca_file": "/there"}, "REDIS_CA_FILE: has no effect with redis://"),
        ({"kafka_bootstrap_servers": ","}, "KAFKA_BOOTSTRAP_SERVERS: names no server"),
    ],
)
def test_an_invalid_combination_is_reported_in_one_line(
    settings: dict[str, str], line: str
) -> None:
    with pytest.raises(ValidationError) as raised:
        ProjectorSettings.model_validate(VALID | settings)
    assert format_errors(ProjectorSettings, raised.value) == [line]


def test_a_file_that_is_not_a_certificate_is_reported(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text("not a certificate")
    settings = {"redis_url": "rediss://one", "redis_ca_file": str(file)}
    with pytest.raises(ValidationError) as raised:
        ProjectorSettings.model_validate(VALID | settings)
    assert format_errors(ProjectorSettings, raised.value) == [
        "REDIS_CA_FILE: is not a valid PEM file"
    ]


@pytest.mark.parametrize(("value", "is_cluster"), [("true", True), ("3", True), ("0", False)])
def test_a_number_of_primaries_means_a_cluster(value: str, is_cluster: bool) -> None:
    settings = ProjectorSettings.model_validate(VALID | {"redis_cluster": value})
    assert settings.redis_cluster is is_cluster


def test_the_nodes_of_a_url() -> None:
    assert nodes_of("rediss://user:secret@one:1,[::1]:2,three/0") == [
        Address("one", 1),
        Address("::1", 2),
        Address("three", 6379),
    ]
