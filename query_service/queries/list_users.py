"""ListUsers: all accounts, newest first."""

from typing_extensions import TypedDict

from query_service.consistency import ConsistencyRequirement
from query_service.pages import Page
from query_service.queries.list_query import asked, list_answer, list_operation
from query_service.queries.query import QueryDependencies
from shared.contracts.documents import UserDocument
from shared.contracts.shards import shards_of_topic
from shared.contracts.views import ids_key
from shared.http.messages import Request, Response
from shared.http.operations import Operation


class UserPage(TypedDict):
    items: list[UserDocument]
    next: str | None


def list_users(reads: QueryDependencies) -> Operation:
    indexes = {shard: ids_key(shard) for shard in shards_of_topic("users", reads.partitions)}

    async def fetch(before: str | None, limit: int, wanted: ConsistencyRequirement | None) -> Page:
        return await reads.pages.page("users", indexes, before, limit, wanted)

    async def answer(request: Request) -> Response:
        wanted, parameters = asked(request, reads)
        return await list_answer(reads, wanted, parameters, "users", fetch, private=True)

    return list_operation(
        name="ListUsers",
        path="/v1/users",
        topic="users",
        page=UserPage,
        handler=answer,
        scopes=("users:read:all",),
    )
