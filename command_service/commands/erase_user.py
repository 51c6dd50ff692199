"""EraseUser: removes the user and all personal data; orders are anonymized within a minute."""

from command_service.commands.command import Command, CommandMessage, Context, RequiredState
from command_service.commands.targets import target_user
from command_service.domain.shop import Shop
from shared.contracts.events import Event, UserErased


class EraseUser(CommandMessage):
    pass


def required_state(message: EraseUser, context: Context) -> RequiredState:
    return RequiredState(users=(context.id,))


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
    required_state=required_state,
    decide=erase_user,
)
