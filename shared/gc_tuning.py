"""How often Python looks for garbage, in a process that lives long."""

import gc


def freeze_startup_objects() -> None:
    """What start-up made stays; collecting it again and again would cost every request and event.

    To be called once, when everything is set up.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
