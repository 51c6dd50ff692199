"""GetOrderSummary: one order, for its customer or with the unrestricted scope."""

from query_service.queries.document_query import document_query
from query_service.queries.query import QueryDependencies
from shared.contracts.documents import OrderDocument
from shared.http.operations import Operation


def get_order(dependencies: QueryDependencies) -> Operation:
    return document_query(
        dependencies,
        name="GetOrderSummary",
        path="/v1/orders/{id}",
        topic="orders",
        document=OrderDocument,
        scopes=("orders:read", "orders:read:all"),
    )
