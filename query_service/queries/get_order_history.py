"""GetOrderHistory: the events of an order, oldest first."""

from query_service.queries.history_query import history_query
from query_service.queries.query import QueryDependencies
from shared.http.operations import Operation


def get_order_history(dependencies: QueryDependencies) -> Operation:
    return history_query(
        dependencies,
        name="GetOrderHistory",
        path="/v1/orders/{id}/history",
        topic="orders",
        scopes=("orders:read", "orders:read:all"),
    )
