"""Tunes the garbage collector for long-running processes."""

import gc


def freeze_startup_objects() -> None:
    """Exclude the objects of the start-up from garbage collection, and collect less often.

    Call it once, after the start-up; otherwise each full collection traverses them all.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
