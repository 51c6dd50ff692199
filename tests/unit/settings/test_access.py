"""What cannot be meant by the settings of Kafka and Redis is said in one line, by its name."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from projector.settings import ProjectorSettings
from shared.redis.clients import nodes_of
from shared.redis.cluster import Address
from shared.settings import format_errors

RIGHT = {
    "port": 0,
    "database_url": "postgresql://somewhere",
    "kafka_bootstrap_servers": "one:9092",
    "redis_url": "redis://user:secret@one:6379/0",
}
TLS = {"kafka_security_protocol": "SASL_SSL", "kafka_sasl_mechanism": "PLAIN"}
USER = {"kafka_sasl_username": "tandem", "kafka_sasl_password": "secret"}


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        (TLS, "KAFKA_SASL_USERNAME: is needed for KAFKA_SECURITY_PROTOCOL=SASL_SSL"),
        (USER, "KAFKA_SASL_USERNAME: has no meaning with KAFKA_SECURITY_PROTOCOL=PLAINTEXT"),
        (
            {"kafka_ca_file": "/there"},
            "KAFKA_CA_FILE: has no meaning with KAFKA_SECURITY_PROTOCOL=PLAINTEXT",
        ),
        (
            {"kafka_security_protocol": "SSL", "kafka_certificate_file": "/there"},
            "KAFKA_KEY_FILE: is needed for a certificate of our own",
        ),
        (
            {"kafka_security_protocol": "SSL", "kafka_ca_file": "/not/there"},
            "KAFKA_CA_FILE: cannot be read (No such file or directory)",
        ),
        (
            {"redis_url": "redis://one:1,two:2/0"},
            "REDIS_CLUSTER: must be true where REDIS_URL names several nodes",
        ),
        (
            {"redis_url": "redis://one:1,/0", "redis_cluster": "true"},
            "REDIS_URL: names no server, or has a comma too many",
        ),
        ({"redis_url": "http://one"}, "REDIS_URL: must begin with redis:// or rediss://"),
        ({"redis_ca_file": "/there"}, "REDIS_CA_FILE: has no meaning with redis://"),
        ({"kafka_bootstrap_servers": ","}, "KAFKA_BOOTSTRAP_SERVERS: names no server"),
    ],
)
def test_a_combination_that_cannot_be_is_one_line(settings: dict[str, str], line: str) -> None:
    with pytest.raises(ValidationError) as told:
        ProjectorSettings.model_validate(RIGHT | settings)
    assert format_errors(ProjectorSettings, told.value) == [line]


def test_a_file_that_is_no_certificate_is_named(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text("nothing of the kind")
    settings = {"redis_url": "rediss://one", "redis_ca_file": str(file)}
    with pytest.raises(ValidationError) as told:
        ProjectorSettings.model_validate(RIGHT | settings)
    assert format_errors(ProjectorSettings, told.value) == ["REDIS_CA_FILE: is no such PEM file"]


@pytest.mark.parametrize(("given", "meant"), [("true", True), ("3", True), ("0", False)])
def test_a_number_of_primaries_means_a_cluster(given: str, meant: bool) -> None:
    settings = ProjectorSettings.model_validate(RIGHT | {"redis_cluster": given})
    assert settings.redis_cluster is meant


def test_the_nodes_of_a_url() -> None:
    assert nodes_of("rediss://user:secret@one:1,[::1]:2,three/0") == [
        Address("one", 1),
        Address("::1", 2),
        Address("three", 6379),
    ]
