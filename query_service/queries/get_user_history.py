"""GetUserHistory: the events of an account, oldest first."""

from query_service.queries.history_query import history_query
from query_service.queries.query import QueryDependencies
from shared.http.operations import Operation


def get_user_history(dependencies: QueryDependencies) -> Operation:
    return history_query(
        dependencies,
        name="GetUserHistory",
        path="/v1/users/{id}/history",
        topic="users",
        scopes=("users:read", "users:read:all"),
    )
