"""GetProductHistory: the events of a product, oldest first."""

from query_service.queries.history_query import history_query
from query_service.queries.query import QueryDependencies
from shared.http.operations import Operation


def get_product_history(dependencies: QueryDependencies) -> Operation:
    return history_query(
        dependencies,
        name="GetProductHistory",
        path="/v1/products/{id}/history",
        topic="products",
        scopes=("products:write",),
        owned=False,
    )
