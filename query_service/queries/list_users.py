"""ListUsers: all accounts, newest first."""

from typing_extensions import TypedDict

from query_service.consistency import ConsistencyRequirement
from query_service.pages import Page
from query_service.queries.list_query import list_operation, page_response, parse_list_request
from query_service.queries.query import QueryDependencies
from shared.contracts.documents import UserDocument
from shared.contracts.shards import shards_of_topic
from shared.contracts.views import ids_key
from shared.http.messages import Request, Response
from shared.http.operations import Operation


class UserPage(TypedDict):
    items: list[UserDocument]
    next: str | None


def list_users(dependencies: QueryDependencies) -> Operation:
    shards = shards_of_topic("users", dependencies.partitions)
    indexes = {shard: ids_key(shard) for shard in shards}

    async def fetch_page(
        before: str | None, limit: int, requirement: ConsistencyRequirement | None
    ) -> Page:
        return await dependencies.pages.page("users", indexes, before, limit, requirement)

    async def handle(request: Request) -> Response:
        requirement, parameters = parse_list_request(request, dependencies)
        return await page_response(
            dependencies, requirement, parameters, "users", fetch_page, private=True
        )

    return list_operation(
        name="ListUsers",
        path="/v1/users",
        tag="users",
        page=UserPage,
        handler=handle,
        scopes=("users:read:all",),
    )
