"""GetProduct: one product, active or retired."""

from query_service.queries.document_query import document_query
from query_service.queries.query import QueryDependencies
from shared.contracts.documents import ProductDocument
from shared.http.operations import Operation


def get_product(dependencies: QueryDependencies) -> Operation:
    return document_query(
        dependencies,
        name="GetProduct",
        path="/v1/products/{id}",
        topic="products",
        document=ProductDocument,
    )
