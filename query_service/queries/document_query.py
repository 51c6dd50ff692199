"""A document by its id: one round trip, and its bytes as they are stored."""

from typing import Any

from query_service.consistency import merged_token, parse_consistency_headers
from query_service.http.conditions import holds
from query_service.http.parameters import path_id
from query_service.http.responses import document_response, not_found, not_modified
from query_service.queries.access import visible
from query_service.queries.query import (
    READ_HEADERS,
    READ_PARAMETERS,
    READ_PROBLEMS,
    QueryDependencies,
)
from shared.contracts.shards import Topic
from shared.http.messages import Request, Response
from shared.http.operations import Operation
from shared.http.parameters import ETAG_HEADER, IF_NONE_MATCH


def document_query(
    reads: QueryDependencies,
    *,
    name: str,
    path: str,
    topic: Topic,
    document: Any,
    scopes: tuple[str, ...] = (),
) -> Operation:
    """`scopes`: for one's own and for everybody's; none makes the documents public."""
    return Operation(
        method="GET",
        path=path,
        handler=DocumentEndpoint(reads, topic, scopes[-1] if scopes else None),
        operation_id=name,
        summary=name,
        scopes=scopes,
        response_model=document,
        tags=(topic,),
        problems=(*READ_PROBLEMS, "not-found"),
        answers={304: "The client holds this version already."},
        parameters=(*READ_PARAMETERS, IF_NONE_MATCH),
        response_headers={**READ_HEADERS, "ETag": ETAG_HEADER},
    )


class DocumentEndpoint:
    """Answers GET of one kind of document; `unrestricted_scope` is the scope that reaches all."""

    def __init__(
        self, reads: QueryDependencies, topic: Topic, unrestricted_scope: str | None
    ) -> None:
        self._documents = reads.documents
        self._partitions = reads.partitions
        self._topic: Topic = topic
        self._unrestricted_scope = unrestricted_scope
        self._private = unrestricted_scope is not None

    async def __call__(self, request: Request) -> Response:
        wanted = parse_consistency_headers(request, self._partitions)
        id = path_id(request)
        if id is None:
            raise not_found(merged_token(wanted, {}), private=self._private)
        found = await self._documents.find(self._topic, id, wanted)
        version, body = visible(
            found, wanted, request.caller, self._unrestricted_scope, private=self._private
        )
        token = merged_token(wanted, found.read)
        held = request.headers.joined(b"if-none-match")
        if held is not None and holds(held, f'"{version.decode()}"'):
            return not_modified(version, token, private=self._private)
        return document_response(body, version, token, private=self._private)
