"""The settings of `make up`, and the errors for invalid values."""

from pathlib import Path

import pytest

from deploy.local.errors import StackError
from deploy.local.external_servers import check_external_servers, find_external_servers
from deploy.local.home import MAX_SOCKET_PATH_BYTES, Home
from deploy.local.settings import settings_from


def test_one_process_of_each_service_by_default() -> None:
    settings = settings_from({"RELAYS": "2"})

    assert settings.names("relay") == ["relay-1", "relay-2"]
    assert settings.names("projector") == ["projector"]


@pytest.mark.parametrize("wrong", ["0", "two", "-1", "99", "1.5"])
def test_an_invalid_number_is_reported(wrong: str) -> None:
    with pytest.raises(StackError, match=f"RELAYS={wrong} must be a number from 1 to 16"):
        settings_from({"RELAYS": wrong})


@pytest.mark.parametrize("text", ["", "0", "false"])
def test_a_single_redis_by_default(text: str) -> None:
    settings = settings_from({"REDIS_CLUSTER": text})

    assert (settings.redis_primaries, settings.redis_is_cluster, settings.brokers) == (0, False, 1)


def test_a_cluster_is_set_by_the_number_of_its_primaries() -> None:
    settings = settings_from({"REDIS_CLUSTER": "3", "BROKERS": "3"})

    assert (settings.redis_primaries, settings.redis_is_cluster, settings.brokers) == (3, True, 3)


def test_too_few_primaries_for_a_failover_are_rejected() -> None:
    with pytest.raises(StackError, match="REDIS_CLUSTER=2 must be a number from 3 to 16"):
        settings_from({"REDIS_CLUSTER": "2"})


def test_true_is_for_an_external_cluster() -> None:
    with pytest.raises(StackError, match="REDIS_CLUSTER=true requires REDIS_URL"):
        settings_from({"REDIS_CLUSTER": "true"})
    external = {"REDIS_CLUSTER": "true", "REDIS_URL": "redis://one:1,two:2/0"}
    assert settings_from(external).redis_is_cluster


def test_a_url_in_the_environment_means_an_external_server(tmp_path: Path) -> None:
    external = find_external_servers(Home(tmp_path), {"REDIS_URL": "redis://else:6379"})

    assert external == {"REDIS_URL": "redis://else:6379"}


def test_a_url_from_the_env_file_does_not(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.env.write_text("export REDIS_URL='redis://a:b@127.0.0.1:6380/0'\n")

    assert find_external_servers(home, {"REDIS_URL": "redis://a:b@127.0.0.1:6380/0"}) == {}


def test_an_external_server_stays_external_if_its_url_comes_from_the_env_file(
    tmp_path: Path,
) -> None:
    home = Home(tmp_path)
    home.env.write_text("export REDIS_URL=redis://else:6379\n")
    home.save_state({"ports": {}, "external": {"REDIS_URL": "redis://else:6379"}})

    assert find_external_servers(home, {"REDIS_URL": "redis://else:6379"}) != {}


@pytest.mark.parametrize(
    ("setting", "url"),
    [
        ("DATABASE_URL", "postgresql://me:secret@127.0.0.1:1/shop"),
        ("REDIS_URL", "redis://me:secret@127.0.0.1:1/0"),
        ("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1"),
    ],
)
@pytest.mark.filterwarnings("default")
def test_an_external_server_that_does_not_respond_is_reported_with_its_setting(
    setting: str, url: str
) -> None:
    with pytest.raises(StackError) as raised:
        check_external_servers({setting: url})

    message = str(raised.value)
    assert message.startswith(f"{setting} is set, but 127.0.0.1:1")
    assert "secret" not in message
    assert "\n" not in message


def test_a_socket_path_is_never_too_long(tmp_path: Path) -> None:
    deep = Home(tmp_path / ("deep" * 30))

    assert len(str(deep.supervisor_socket)) <= MAX_SOCKET_PATH_BYTES
