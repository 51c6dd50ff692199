"""Cancellations of a task that a driver suppressed, or replaced by an error of its own."""

import asyncio


def raise_if_cancelled(error: Exception | None = None) -> None:
    """For endless jobs, after a call of a driver: a lost cancellation would keep them alive.

    asyncpg can raise an error of its own instead, redis-py can suppress it in Python 3.11.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError from error
