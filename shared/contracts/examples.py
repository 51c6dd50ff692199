"""The ids and the time that examples in the published documents have in common."""

from typing import Final

USER_ID: Final = "019cb1a4-7c35-7d10-9f3a-5b1c60a2e7c4"
PRODUCT_ID: Final = "019cb1a4-91aa-7b02-8a44-0d6f1e93b0a1"
ORDER_ID: Final = "019cb1a5-02f1-7e4b-b5d0-93c4a1f087c4"
"""Has the placement of USER_ID, as an order has its customer's."""
TIME: Final = "2026-03-01T09:30:00.125Z"
