"""GetProductHistory: what happened to a product, for those who look after products."""

from query_service.queries.history_query import history_query
from query_service.queries.query import QueryDependencies
from shared.http.operations import Operation


def get_product_history(reads: QueryDependencies) -> Operation:
    return history_query(
        reads,
        name="GetProductHistory",
        path="/v1/products/{id}/history",
        topic="products",
        scopes=("products:write",),
        owned=False,
    )
