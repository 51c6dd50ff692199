"""GetUserById: an account; its owner's alone, unless the scope reaches everybody's."""

from query_service.queries.document_query import document_query
from query_service.queries.query import QueryDependencies
from shared.contracts.documents import UserDocument
from shared.http.operations import Operation


def get_user(reads: QueryDependencies) -> Operation:
    return document_query(
        reads,
        name="GetUserById",
        path="/v1/users/{id}",
        topic="users",
        document=UserDocument,
        scopes=("users:read", "users:read:all"),
    )
