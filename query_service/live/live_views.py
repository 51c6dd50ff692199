"""What the queries that stream use."""

from dataclasses import dataclass

from query_service.live.document_feed import DocumentFeed
from query_service.live.event_stream import Streams
from query_service.watcher import Watcher


@dataclass(frozen=True, slots=True)
class LiveViews:
    """`watcher` reports the shards that have changed."""

    streams: Streams
    documents: DocumentFeed
    watcher: Watcher
