"""Which port each process gets."""

import socket

import pytest

from deploy.local.errors import StackError
from deploy.local.port_assignment import assign_ports
from deploy.local.ports import free_ports, is_free

ALL = ["postgres", "kafka", "redis", "command-service", "relay", "projector", "query-service"]


def nothing_is_taken(port: int) -> bool:
    return True


def test_without_a_wish_each_gets_its_default() -> None:
    ports = assign_ports(ALL, {}, {}, set(), nothing_is_taken)

    assert ports == {
        "postgres": 5433,
        "kafka": 9094,
        "kafka-controller": 9095,
        "redis": 6380,
        "command-service": 8080,
        "relay": 8100,
        "projector": 8200,
        "query-service": 8081,
    }


def test_a_wish_comes_before_what_it_had_and_that_before_the_default() -> None:
    had = {"redis": 7001, "postgres": 7002}

    ports = assign_ports(ALL, {"redis": 7003}, had, set(), nothing_is_taken)

    assert (ports["redis"], ports["postgres"]) == (7003, 7002)


def test_a_known_port_that_is_taken_is_named_with_its_setting() -> None:
    with pytest.raises(StackError, match=r"port 8081, for query-service.*QUERY_PORT=<port>"):
        assign_ports(ALL, {}, {}, set(), lambda port: port != 8081)


def test_the_controllers_port_is_moved_by_kafkas_setting() -> None:
    with pytest.raises(StackError, match=r"port 9095, for kafka's controller.*KAFKA_PORT"):
        assign_ports(ALL, {}, {}, set(), lambda port: port != 9095)


def test_two_processes_never_get_the_same_port() -> None:
    with pytest.raises(StackError, match="port 8080"):
        assign_ports(ALL, {"query-service": 8080}, {}, set(), nothing_is_taken)


def test_what_we_listen_on_ourselves_is_not_taken() -> None:
    ports = assign_ports(["redis"], {}, {"redis": 6380}, {6380}, lambda port: False)

    assert ports == {"redis": 6380}


def test_several_of_a_kind_get_free_ports_and_the_first_one_the_known_one() -> None:
    names = ["command-service-1", "command-service-2", "relay-1", "relay-2"]

    ports = assign_ports(names, {"command-service": 7000}, {}, set(), lambda port: port != 8101)

    assert ports == {
        "command-service-1": 7000,
        "command-service-2": 8301,
        "relay-1": 8100,
        "relay-2": 8102,
    }


def test_brokers_and_nodes_of_a_cluster_get_ports_of_their_own_and_beside_them() -> None:
    names = ["kafka-1", "kafka-2", "redis-1", "redis-2"]

    ports = assign_ports(names, {"kafka": 7000}, {}, set(), lambda port: port != 9201)

    assert ports == {
        "kafka-1": 7000,
        "kafka-1-controller": 7001,
        "kafka-2": 9202,
        "kafka-2-controller": 9301,
        "redis-1": 6380,
        "redis-1-bus": 16400,
        "redis-2": 6401,
        "redis-2-bus": 16401,
    }


def test_a_port_with_a_listener_is_not_free() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()

        assert not is_free(listener.getsockname()[1])


def test_free_ports_are_different_ones() -> None:
    assert len(set(free_ports(20))) == 20
