"""Queries of one document by its id: one round trip, and the stored bytes as the response."""

from typing import Any

from query_service.consistency import merged_token, parse_consistency_headers
from query_service.http.parameters import parse_path_id
from query_service.http.responses import (
    document_response,
    entity_tag,
    etag_matches,
    not_found,
    not_modified,
)
from query_service.queries.access import require_visible
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
    dependencies: QueryDependencies,
    *,
    name: str,
    path: str,
    topic: Topic,
    document: Any,
    view: str | None = None,
    scopes: tuple[str, ...] = (),
) -> Operation:
    """`view`: the topic's primary one by default.

    `scopes`: for the caller's documents, and the unrestricted one; public if empty.
    """
    return Operation(
        method="GET",
        path=path,
        handler=DocumentEndpoint(dependencies, topic, view, scopes[-1] if scopes else None),
        operation_id=name,
        summary=name,
        scopes=scopes,
        response_model=document,
        tags=(topic,),
        problems=(*READ_PROBLEMS, "not-found"),
        responses={304: "The document still has a version named in If-None-Match."},
        parameters=(*READ_PARAMETERS, IF_NONE_MATCH),
        response_headers={**READ_HEADERS, "ETag": ETAG_HEADER},
    )


class DocumentEndpoint:
    """Handles GET of one topic's documents; they are public if `unrestricted_scope` is None."""

    def __init__(
        self,
        dependencies: QueryDependencies,
        topic: Topic,
        view: str | None,
        unrestricted_scope: str | None,
    ) -> None:
        self._documents = dependencies.documents
        self._partitions = dependencies.partitions
        self._topic: Topic = topic
        self._view = view
        self._unrestricted_scope = unrestricted_scope
        self._private = unrestricted_scope is not None

    async def __call__(self, request: Request) -> Response:
        requirement = parse_consistency_headers(request, self._partitions)
        id = parse_path_id(request)
        if id is None:
            raise not_found(merged_token(requirement, {}), private=self._private)
        document = await self._documents.find(self._topic, id, requirement, self._view)
        version, body = require_visible(
            document, requirement, request.caller, self._unrestricted_scope, private=self._private
        )
        token = merged_token(requirement, document.positions)
        tag = entity_tag(version, document.shape)
        if_none_match = request.headers.joined(b"if-none-match")
        if if_none_match is not None and etag_matches(if_none_match, f'"{tag.decode()}"'):
            return not_modified(tag, token, private=self._private)
        return document_response(body, tag, token, private=self._private)
