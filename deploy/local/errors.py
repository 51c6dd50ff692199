"""The error of the local stack for foreseeable failures: one line that includes the remedy."""


class StackError(Exception):
    """The message is printed as it is, without a traceback."""
