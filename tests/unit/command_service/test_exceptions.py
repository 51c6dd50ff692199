"""The map of exceptions is complete."""

import inspect

from command_service import exceptions


def test_every_exception_is_in_the_map() -> None:
    for name, _ in inspect.getmembers(exceptions, inspect.isclass):
        assert f"| `{name}` |" in (exceptions.__doc__ or "")
