"""The exceptions of the command service, and what each leads to.

| exception | raised if | leads to |
|---|---|---|
| `Rejection` (`domain/rejection.py`) | a decision rejects the command | the 4xx problem it names |
| `Overloaded` | `MAX_QUEUE_DEPTH` commands are queued | 503 |
| `Unavailable` | the command was not decided in time, or its outcome is unknown | 503 |
| `TransientFailure` | a batch failed without effect, and may succeed unchanged | a retry |
| `LockTimeout` | as above, because of a lock | a retry that waits for no lock |
| `CommitOutcomeUnknown` | the outcome of COMMIT is unknown at the deadline | `Unavailable` |
| any other, of a batch | a command of the batch is at fault | the batch is bisected; 500 |
| `WrongPartitions` | PARTITIONS differs from the database | `serve` ends with status 1 |
| `TransactionPooling` | a pooler gives no sessions | `serve` ends with status 1 |
| `CannotMigrate` | roles are missing, or PARTITIONS differs | `migrate` ends with status 1 |
| `SchemaMissing` | the schema is incomplete at the timeout | `await-schema` ends with status 1 |

A client can always retry a 503 with the same Idempotency-Key. The text of the last three is one
line for the operator. `shared.http.problems.Problem` rejects requests before they are commands.
`TransactionPooling` is in `shared/postgres_sessions.py`. The relay has its own exceptions.
"""


class Overloaded(Exception):
    """The queue is full: a further command would not be decided in time."""


class Unavailable(Exception):
    """The command was not decided in time, or it is unknown whether it was committed."""


class TransientFailure(Exception):
    """The batch has no effect; a retry may succeed."""


class LockTimeout(TransientFailure):
    """Another transaction held a lock that the batch needs for too long."""


class CommitOutcomeUnknown(Exception):
    """It could not be determined in time whether the batch was committed."""


class WrongPartitions(Exception):
    """The setting PARTITIONS differs from the partitions of the database."""


class CannotMigrate(Exception):
    """The schema cannot be brought up to date."""


class SchemaMissing(Exception):
    """What the database still lacked at the timeout."""
