"""The SQL of the schema: migrations, each applied once, and functions, applied when they change."""

import hashlib
from dataclasses import dataclass
from importlib.resources import files
from typing import Final, NamedTuple

_NO_TRANSACTION: Final = "-- no transaction"


class Script(NamedTuple):
    """A `.sql` file; `name` is its name without the suffix.

    A script waits for locks for one second at most, and is then retried completely. So it takes
    the lock of no more than one existing table, and commands wait no longer than that. One that
    begins with `-- no transaction` is executed by statement, and can be executed repeatedly.
    """

    name: str
    sql: str

    @property
    def statements(self) -> tuple[str, ...]:
        """The parts that are executed: one, unless the script cannot run in a transaction."""
        if not self.sql.startswith(_NO_TRANSACTION):
            return (self.sql,)
        lines = (line for line in self.sql.splitlines() if not line.startswith("--"))
        return tuple(part.strip() for part in "\n".join(lines).split(";") if part.strip())

    @property
    def in_transaction(self) -> bool:
        return not self.sql.startswith(_NO_TRANSACTION)

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Schema:
    """Scripts in the order in which they are applied, migrations first.

    A function script uses CREATE OR REPLACE, which cannot change arguments or the result type: that
    needs a migration that drops the function first. During an upgrade, processes of the previous
    version call the new functions.
    """

    migrations: tuple[Script, ...]
    functions: tuple[Script, ...]


def read_schema() -> Schema:
    """The schema of this version."""
    return Schema(_read("migrations"), _read("functions"))


def _read(folder: str) -> tuple[Script, ...]:
    found = (files("command_service.schema") / folder).iterdir()
    scripts = [
        Script(file.name.removesuffix(".sql"), file.read_text())
        for file in found
        if file.name.endswith(".sql")
    ]
    return tuple(sorted(scripts))
