"""SearchProducts: active products whose words begin as the words of `q` do, newest first."""

from typing import Final

import orjson
from typing_extensions import TypedDict

from query_service.consistency import ConsistencyRequirement
from query_service.http.parameters import Parameters
from query_service.pages import Page
from query_service.queries.list_query import asked, list_answer, list_operation
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

_LONGEST: Final = 1000
_Q: Final = query(
    "q", "Each of its words must begin a word of the name or description.", maxLength=_LONGEST
)
_ACTIVE: Final = b'"status":"active"'
_DESCRIPTION: Final = (
    "Words are runs of letters and digits, whatever their case and marks. Without `q` all active "
    "products are listed; a `q` without words finds nothing. A search looks at a bounded number of "
    "products for a page: with several words, a page may hold fewer items than `limit`, even none, "
    "while `next` says where to go on."
)


class ProductPage(TypedDict):
    items: list[ProductDocument]
    next: str | None


def search_products(reads: QueryDependencies) -> Operation:
    shards = shards_of_topic("products", reads.partitions)
    everything = {shard: ids_key(shard) for shard in shards}

    async def all_active(
        before: str | None, limit: int, wanted: ConsistencyRequirement | None
    ) -> Page:
        return await reads.pages.page("products", everything, before, limit, wanted, (_ACTIVE,))

    async def answer(request: Request) -> Response:
        wanted, parameters = asked(request, reads, "q")
        words = _words_of(parameters)
        fetch = all_active if words is None else Search(reads.pages, shards, words).page
        walk = "products" if words is None else f"products {orjson.dumps(words).decode()}"
        return await list_answer(reads, wanted, parameters, walk, fetch, private=False)

    return list_operation(
        name="SearchProducts",
        path="/v1/products",
        topic="products",
        page=ProductPage,
        handler=answer,
        parameters=(_Q,),
        description=_DESCRIPTION,
    )


def _words_of(parameters: Parameters) -> list[str] | None:
    """The words to look for, each once; None: all products are asked for."""
    q = parameters.get("q")
    if q is None:
        return None
    if len(q) > _LONGEST:
        raise invalid_field("/q", f"must have at most {_LONGEST} characters")
    return sorted(set(words_of(q)))
