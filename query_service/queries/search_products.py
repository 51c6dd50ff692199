"""SearchProducts: active products with words that start with the words of `q`, newest first."""

from typing import Final

import orjson
from typing_extensions import TypedDict

from query_service.consistency import ConsistencyRequirement
from query_service.http.parameters import Parameters
from query_service.pages import Page
from query_service.queries.list_query import list_operation, page_response, parse_list_request
from query_service.queries.query import QueryDependencies
from query_service.search import Search
from shared.contracts.documents import ProductDocument
from shared.contracts.shards import shards_of_topic
from shared.contracts.views import ids_key
from shared.contracts.words import words_of
from shared.http.messages import Request, Response
from shared.http.operations import Operation
from shared.http.parameters import query
from shared.http.problems import invalid_field

_MAX_LENGTH: Final = 1000
_SEARCH_COST: Final = 35.0
"""Of a page of a search, besides the cost of a list."""
_Q: Final = query(
    "q",
    "Each of its words must be a prefix of a word in the name or description.",
    maxLength=_MAX_LENGTH,
)
_ACTIVE: Final = b'"status":"active"'
_DESCRIPTION: Final = (
    "Words are runs of letters and digits; case and diacritics are ignored. Without `q`, all "
    "active products are listed; a `q` without words matches nothing. A search examines a limited "
    "number of products per page: with several words, a page can have fewer items than `limit`, "
    "or none, although `next` is not null."
)


class ProductPage(TypedDict):
    items: list[ProductDocument]
    next: str | None


def search_products(dependencies: QueryDependencies) -> Operation:
    shards = shards_of_topic("products", dependencies.partitions)
    indexes = {shard: ids_key(shard) for shard in shards}

    async def fetch_all(
        before: str | None, limit: int, requirement: ConsistencyRequirement | None
    ) -> Page:
        return await dependencies.pages.page(
            "products", indexes, before, limit, requirement, (_ACTIVE,)
        )

    async def handle(request: Request) -> Response:
        requirement, parameters = parse_list_request(request, dependencies, "q")
        words = _parse_words(parameters)
        if words is None:
            list_key, fetch_page = "products", fetch_all
        else:
            request.charge(_SEARCH_COST)
            list_key = f"products {orjson.dumps(words).decode()}"
            fetch_page = Search(dependencies.pages, shards, words).page
        return await page_response(
            dependencies, requirement, parameters, list_key, fetch_page, private=False
        )

    return list_operation(
        name="SearchProducts",
        path="/v1/products",
        tag="products",
        page=ProductPage,
        handler=handle,
        parameters=(_Q,),
        description=_DESCRIPTION,
    )


def _parse_words(parameters: Parameters) -> list[str] | None:
    """The distinct words of `q`, sorted; None without `q`."""
    q = parameters.get("q")
    if q is None:
        return None
    if len(q) > _MAX_LENGTH:
        raise invalid_field("/q", f"must have at most {_MAX_LENGTH} characters")
    return sorted(set(words_of(q)))
