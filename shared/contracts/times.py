"""Times are RFC 3339 in UTC with milliseconds and a `Z`."""

from datetime import UTC, datetime


def format_time(at: datetime) -> str:
    """`2026-03-01T09:30:00.125Z`; finer digits are truncated."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


def parse_time(text: str) -> datetime:
    """The time that `format_time` wrote."""
    return datetime.fromisoformat(text)


def truncate_to_milliseconds(at: datetime) -> datetime:
    """The time truncated to milliseconds, as `format_time` writes it."""
    return at.replace(microsecond=at.microsecond // 1000 * 1000)
