"""GetUserHistory: what happened to an account, oldest first."""

from query_service.queries.history_query import history_query
from query_service.queries.query import QueryDependencies
from shared.http.operations import Operation


def get_user_history(reads: QueryDependencies) -> Operation:
    return history_query(
        reads,
        name="GetUserHistory",
        path="/v1/users/{id}/history",
        topic="users",
        scopes=("users:read", "users:read:all"),
    )
