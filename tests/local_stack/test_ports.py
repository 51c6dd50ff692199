"""The port of each process."""

import socket

import pytest

from deploy.local.errors import StackError
from deploy.local.port_assignment import assign_ports
from deploy.local.ports import free_ports, is_free

ALL = ["postgres", "kafka", "redis", "command-service", "relay", "projector", "query-service"]


def is_always_free(port: int) -> bool:
    return True


def test_each_process_gets_its_default_port() -> None:
    ports = assign_ports(ALL, {}, {}, set(), is_always_free)

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


def test_requested_ports_precede_previous_ones_and_those_precede_defaults() -> None:
    previous = {"redis": 7001, "postgres": 7002}

    ports = assign_ports(ALL, {"redis": 7003}, previous, set(), is_always_free)

    assert (ports["redis"], ports["postgres"]) == (7003, 7002)


def test_a_fixed_port_in_use_is_reported_with_its_setting() -> None:
    with pytest.raises(StackError, match=r"port 8081, for query-service.*QUERY_PORT=<port>"):
        assign_ports(ALL, {}, {}, set(), lambda port: port != 8081)


def test_a_controller_port_in_use_is_reported_with_the_setting_of_kafka() -> None:
    with pytest.raises(StackError, match=r"port 9095, for kafka-controller.*KAFKA_PORT"):
        assign_ports(ALL, {}, {}, set(), lambda port: port != 9095)


def test_two_processes_cannot_have_the_same_port() -> None:
    with pytest.raises(StackError, match="port 8080"):
        assign_ports(ALL, {"query-service": 8080}, {}, set(), is_always_free)


def test_ports_of_running_processes_are_kept() -> None:
    ports = assign_ports(["redis"], {}, {"redis": 6380}, {6380}, lambda port: False)

    assert ports == {"redis": 6380}


def test_the_first_of_several_gets_the_fixed_port_and_the_others_free_ones() -> None:
    names = ["command-service-1", "command-service-2", "relay-1", "relay-2"]

    ports = assign_ports(names, {"command-service": 7000}, {}, set(), lambda port: port != 8101)

    assert ports == {
        "command-service-1": 7000,
        "command-service-2": 8301,
        "relay-1": 8100,
        "relay-2": 8102,
    }


def test_brokers_and_cluster_nodes_get_additional_ports() -> None:
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


def test_free_ports_are_distinct() -> None:
    assert len(set(free_ports(20))) == 20
