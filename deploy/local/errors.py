"""The one error that the local stack raises for what can be foreseen: one line, with what to do."""


class StackError(Exception):
    """Its text is shown to the person as it is, without a traceback."""
