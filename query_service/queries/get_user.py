"""GetUserById: one account, for its owner or with the unrestricted scope."""

from query_service.queries.document_query import document_query
from query_service.queries.query import QueryDependencies
from shared.contracts.documents import UserDocument
from shared.http.operations import Operation


def get_user(dependencies: QueryDependencies) -> Operation:
    return document_query(
        dependencies,
        name="GetUserById",
        path="/v1/users/{id}",
        topic="users",
        document=UserDocument,
        scopes=("users:read", "users:read:all"),
    )
