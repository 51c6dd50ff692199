"""Why a command is refused. A rejection is an outcome that state decided, not a failure."""

from typing import Literal

Reason = Literal[
    "not-found",
    "version-conflict",
    "unknown-reference",
    "email-taken",
    "insufficient-stock",
    "order-state",
    "product-retired",
    "currency-mismatch",
    "stock-limit",
]


class Rejection(Exception):
    """`detail` is read by the caller and never quotes a personal value."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason: Reason = reason
        self.detail = detail
