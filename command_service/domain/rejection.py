"""Why a command is rejected. A rejection is a result of the shop's state, not a failure."""

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
    """`detail` is shown to the caller and never contains a personal value."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason: Reason = reason
        self.detail = detail
