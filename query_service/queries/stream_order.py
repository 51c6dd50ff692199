"""StreamOrder: one order, live, for its customer or with the unrestricted scope."""

from query_service.queries.query import QueryDependencies
from query_service.queries.stream_query import document_stream_query
from shared.contracts.documents import OrderDocument
from shared.http.operations import Operation


def stream_order(dependencies: QueryDependencies) -> Operation:
    return document_stream_query(
        dependencies,
        name="StreamOrder",
        path="/v1/orders/{id}/stream",
        topic="orders",
        document=OrderDocument,
        scopes=("orders:read", "orders:read:all"),
    )
