"""EraseUser: the user disappears, and what is personal in its orders follows within a minute."""

from command_service.commands.command import Command, Context, Message, Touched
from command_service.commands.targets import target_user
from command_service.domain.shop import Shop
from shared.contracts.events import Event, UserErased


class EraseUser(Message):
    pass


def touches(message: EraseUser, context: Context) -> Touched:
    return Touched(users=(context.id,))


def erase_user(message: EraseUser, context: Context, shop: Shop) -> list[Event]:
    user = target_user(shop, context)
    return [UserErased(id=user.id, version=user.version + 1)]


COMMAND = Command(
    name="EraseUser",
    message=EraseUser,
    method="DELETE",
    path="/v1/users/{id}",
    topic="users",
    scopes=("users:write", "users:write:all"),
    touches=touches,
    decide=erase_user,
)
