"""Compares the headers of responses."""

import httpx


def without_date(response: httpx.Response) -> httpx.Headers:
    """All headers except the one that changes every second."""
    headers = response.headers.copy()
    del headers["date"]
    return headers
