"""Cancellation that a driver replaced by an error of its own."""

import asyncio


def raise_if_cancelled(error: Exception) -> None:
    """For handlers of any Exception in endless jobs: a lost cancellation would keep them alive."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError from error
