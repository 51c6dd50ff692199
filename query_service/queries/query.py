"""The type of a query, and what the operations of all queries have in common."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from query_service.consistency import Consistency
from query_service.documents import Documents
from query_service.live.live_views import LiveViews
from query_service.pages import Pages
from query_service.reader import Reader
from shared.http.operations import Operation
from shared.http.parameters import CACHE_HEADER, CONSISTENCY_TOKEN, PREFER, TOKEN_HEADER


@dataclass(frozen=True, slots=True)
class QueryDependencies:
    """The dependencies of queries; `now` returns the time in UTC."""

    reader: Reader
    consistency: Consistency
    documents: Documents
    pages: Pages
    live: LiveViews
    partitions: int
    now: Callable[[], datetime]


Query = Callable[[QueryDependencies], Operation]
"""Creates a query's operation; its handler uses the dependencies."""

READ_PARAMETERS = (CONSISTENCY_TOKEN, PREFER)
READ_PROBLEMS = ("malformed-request", "projection-behind", "unavailable")
READ_HEADERS = {"Cache-Control": CACHE_HEADER, "Consistency-Token": TOKEN_HEADER}
