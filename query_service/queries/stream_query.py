"""Queries of one document as a stream of its states."""

import re
from functools import partial
from typing import Any, Final

from query_service.consistency import merged_token, parse_consistency_headers
from query_service.http.parameters import parse_path_id
from query_service.http.responses import not_found
from query_service.live.document_feed import offer_document
from query_service.live.event_stream import EventStream
from query_service.live.subscriber import Subscriber
from query_service.queries.access import require_visible
from query_service.queries.query import READ_PARAMETERS, READ_PROBLEMS, QueryDependencies
from shared.contracts.shards import Topic
from shared.http.messages import Request
from shared.http.operations import Handler, Operation
from shared.http.parameters import CACHE_HEADER, LAST_EVENT_ID

DESCRIPTION: Final = (
    "Server-sent events: the current document, or with `Last-Event-ID` only a newer one, and then "
    "each newer state; intermediate states may be skipped. An event `gone` with the data `{}` "
    "means that the document no longer exists, and ends the stream. A comment is sent at least "
    "every 15 s. The stream also ends when the token expires, when the view becomes unreadable and "
    "when the service stops; the client then reconnects with the id of the last event."
)
_VERSION: Final = re.compile(r"[0-9]{1,18}", re.ASCII)


def stream_operation(
    handler: Handler,
    *,
    name: str,
    path: str,
    tag: str,
    scopes: tuple[str, ...],
    document: Any,
    ids: str,
    problems: tuple[str, ...] = (),
) -> Operation:
    """`ids` describes the ids of the events."""
    return Operation(
        method="GET",
        path=path,
        handler=handler,
        operation_id=name,
        summary=name,
        description=f"{DESCRIPTION} The id of an event is {ids}.",
        scopes=scopes,
        response_model=document,
        media_type="text/event-stream",
        tags=(tag,),
        problems=(*READ_PROBLEMS, *problems),
        parameters=(*READ_PARAMETERS, LAST_EVENT_ID),
        response_headers={"Cache-Control": CACHE_HEADER},
    )


def document_stream_query(
    dependencies: QueryDependencies,
    *,
    name: str,
    path: str,
    topic: Topic,
    document: Any,
    scopes: tuple[str, str],
) -> Operation:
    """`scopes`: for the caller's documents, and the unrestricted one."""
    return stream_operation(
        _DocumentStreamEndpoint(dependencies, topic, scopes[-1]),
        name=name,
        path=path,
        tag=topic,
        scopes=scopes,
        document=document,
        ids="the version",
        problems=("not-found",),
    )


class _DocumentStreamEndpoint:
    def __init__(
        self, dependencies: QueryDependencies, topic: Topic, unrestricted_scope: str
    ) -> None:
        self._documents = dependencies.documents
        self._live = dependencies.live
        self._partitions = dependencies.partitions
        self._topic: Topic = topic
        self._unrestricted_scope = unrestricted_scope

    async def __call__(self, request: Request) -> EventStream:
        requirement = parse_consistency_headers(request, self._partitions)
        id = parse_path_id(request)
        if id is None:
            raise not_found(merged_token(requirement, {}), private=True)
        caller = request.caller
        assert caller is not None  # the operation requires a scope
        self._live.streams.check(caller)
        document = await self._documents.find(self._topic, id, requirement)
        require_visible(document, requirement, caller, self._unrestricted_scope, private=True)
        subscriber = Subscriber(_last_version(request))
        if document.stored is not None:
            offer_document(subscriber, self._topic, document.stored)
        follow = partial(self._live.documents.following, self._topic, id)
        return EventStream(self._live.streams, caller, subscriber, follow)


def _last_version(request: Request) -> bytes:
    """Any other Last-Event-ID than a version counts as none."""
    last_id = request.headers.single(b"last-event-id") or ""
    return last_id.encode() if _VERSION.fullmatch(last_id) else b"0"
