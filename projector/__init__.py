"""Folds the events of the topics into the views that the query service reads.

Exceptions and the reactions to them. Any exception of a view counts as CannotFold; RedisError
includes OSError, TimeoutError, and ValueError for an unreadable value.

CannotFold, ValidationError
    In a record of Kafka: raised as UnfoldableRecords, and the shard catches up. In the event log:
    retried in smaller batches; a single event is parked, and so are its aggregate's later ones.
UnknownType (a CannotFold)
    As above. A newer version replays the event when it acquires the shard.
DamagedDocument (a CannotFold)
    In a record of Kafka: reads of the document get 503, and the shard catches up. In the event log:
    the aggregate is refolded from its own events; if that does not help, the event is parked.
TooManyParked
    The shard is halted, and the process not ready.
LogDivergence
    The shard is halted, and the process not ready, until the event log contains the event again.
RedisError
    Records of Kafka: the shard is paused (0.1 to 2 s) and rewound. Assignment: retried likewise,
    nothing is consumed until then. Lag monitor: not ready.
RedisError, asyncpg.PostgresError in a catch-up
    Kafka delivers the dropped records again; the next poll retries.
asyncpg.PostgresError in the lag monitor
    The views continue with Kafka alone.
KafkaError, OSError in the subscription
    A new client after 1 s.
UnicodeDecodeError in a poll of Kafka
    The record is skipped; it is not Tandem's.
CannotListen
    One line on standard error, exit status 1.
"""
