"""GetOrderSummary: an order; its customer's alone, unless the scope reaches everybody's."""

from query_service.queries.document_query import document_query
from query_service.queries.query import QueryDependencies
from shared.contracts.documents import OrderDocument
from shared.http.operations import Operation


def get_order(reads: QueryDependencies) -> Operation:
    return document_query(
        reads,
        name="GetOrderSummary",
        path="/v1/orders/{id}",
        topic="orders",
        document=OrderDocument,
        scopes=("orders:read", "orders:read:all"),
    )
