"""What a person may set, and what is said of a wrong value."""

from pathlib import Path

import pytest

from deploy.local.errors import StackError
from deploy.local.external_servers import check_external_servers, find_external_servers
from deploy.local.home import MAX_SOCKET_PATH_BYTES, Home
from deploy.local.settings import settings_from


def test_one_of_each_unless_told() -> None:
    settings = settings_from({"RELAYS": "2"})

    assert settings.names("relay") == ["relay-1", "relay-2"]
    assert settings.names("projector") == ["projector"]


@pytest.mark.parametrize("wrong", ["0", "two", "-1", "99", "1.5"])
def test_a_wrong_number_is_named(wrong: str) -> None:
    with pytest.raises(StackError, match=f"RELAYS={wrong} must be a number from 1 to 16"):
        settings_from({"RELAYS": wrong})


@pytest.mark.parametrize("text", ["", "0", "false"])
def test_one_redis_unless_told(text: str) -> None:
    settings = settings_from({"REDIS_CLUSTER": text})

    assert (settings.redis_primaries, settings.redis_is_cluster, settings.brokers) == (0, False, 1)


def test_a_cluster_by_the_number_of_its_primaries() -> None:
    settings = settings_from({"REDIS_CLUSTER": "3", "BROKERS": "3"})

    assert (settings.redis_primaries, settings.redis_is_cluster, settings.brokers) == (3, True, 3)


def test_too_few_to_agree_on_a_failover_are_refused() -> None:
    with pytest.raises(StackError, match="REDIS_CLUSTER=2 must be a number from 3 to 16"):
        settings_from({"REDIS_CLUSTER": "2"})


def test_true_is_for_a_cluster_that_is_used() -> None:
    with pytest.raises(StackError, match="REDIS_CLUSTER=true is for a REDIS_URL"):
        settings_from({"REDIS_CLUSTER": "true"})
    used = {"REDIS_CLUSTER": "true", "REDIS_URL": "redis://one:1,two:2/0"}
    assert settings_from(used).redis_is_cluster


def test_a_url_that_is_set_means_a_server_that_is_used(tmp_path: Path) -> None:
    used = find_external_servers(Home(tmp_path), {"REDIS_URL": "redis://else:6379"})

    assert used == {"REDIS_URL": "redis://else:6379"}


def test_a_url_that_came_from_our_own_file_does_not(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.env.write_text("export REDIS_URL='redis://a:b@127.0.0.1:6380/0'\n")

    assert find_external_servers(home, {"REDIS_URL": "redis://a:b@127.0.0.1:6380/0"}) == {}


def test_a_used_server_stays_used_when_its_url_comes_from_our_own_file(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.env.write_text("export REDIS_URL=redis://else:6379\n")
    home.save_state({"ports": {}, "used": {"REDIS_URL": "redis://else:6379"}})

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
def test_a_used_server_that_does_not_answer_is_named_by_its_setting(setting: str, url: str) -> None:
    with pytest.raises(StackError) as raised:
        check_external_servers({setting: url})

    said = str(raised.value)
    assert said.startswith(f"{setting} is set, but 127.0.0.1:1")
    assert "secret" not in said
    assert "\n" not in said


def test_a_socket_path_is_never_too_long(tmp_path: Path) -> None:
    deep = Home(tmp_path / ("deep" * 30))

    assert len(str(deep.supervisor_socket)) <= MAX_SOCKET_PATH_BYTES
