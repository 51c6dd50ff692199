"""Each SQLSTATE of PostgreSQL leads to a retry, and 503 in the end, or to a defect."""

import asyncpg
import pytest
from asyncpg import exceptions

from command_service.write_store.postgres_errors import TRANSIENT_ERRORS, TRANSIENT_SQLSTATES

CLASSES = sorted(
    {
        (value.sqlstate, value.__name__)
        for value in vars(exceptions).values()
        if isinstance(value, type)
        and issubclass(value, asyncpg.PostgresError)
        and value.sqlstate is not None
    }
)
DEFECTS = {"0A", "21", "22", "23", "2B", "34", "38", "39", "44", "54", "P0", "XX"}
"""The batch, or the code, is at fault: constraints, data, limits, internal errors."""
TRANSIENT = {"08", "28", "40", "53", "55", "57", "58"}


@pytest.mark.parametrize(("sqlstate", "name"), CLASSES)
def test_every_sqlstate_of_the_driver_is_in_the_table_or_a_defect(sqlstate: str, name: str) -> None:
    error = getattr(exceptions, name)
    if sqlstate[:2] in TRANSIENT:
        assert issubclass(error, TRANSIENT_ERRORS)
    elif sqlstate[:2] in DEFECTS and name != "InvalidCachedStatementError":
        assert not issubclass(error, TRANSIENT_ERRORS)


@pytest.mark.parametrize(
    ("name", "transient"),
    [
        ("InvalidCachedStatementError", True),
        ("InvalidCatalogNameError", True),
        ("InsufficientPrivilegeError", True),
        ("SerializationError", True),
        ("ReadOnlySQLTransactionError", True),
        ("UndefinedFunctionError", True),
        ("DatabaseDroppedError", True),
        ("UniqueViolationError", False),
        ("CheckViolationError", False),
        ("RaiseError", False),
        ("SyntaxOrAccessError", False),
    ],
)
def test_what_a_client_may_retry(name: str, transient: bool) -> None:
    assert issubclass(getattr(exceptions, name), TRANSIENT_ERRORS) == transient


def test_every_entry_of_the_table_names_errors_of_the_driver() -> None:
    states = {sqlstate for sqlstate, _ in CLASSES}
    for prefix in TRANSIENT_SQLSTATES:
        assert any(state.startswith(prefix) for state in states), prefix
