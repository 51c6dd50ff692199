"""StreamUser: one account, live, for its owner or with the unrestricted scope."""

from query_service.queries.query import QueryDependencies
from query_service.queries.stream_query import document_stream_query
from shared.contracts.documents import UserDocument
from shared.http.operations import Operation


def stream_user(dependencies: QueryDependencies) -> Operation:
    return document_stream_query(
        dependencies,
        name="StreamUser",
        path="/v1/users/{id}/stream",
        topic="users",
        document=UserDocument,
        scopes=("users:read", "users:read:all"),
    )
