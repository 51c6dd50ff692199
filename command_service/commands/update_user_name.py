"""UpdateUserName."""

from command_service.commands.command import Command, CommandMessage, Context, RequiredState
from command_service.commands.fields import Name
from command_service.commands.targets import target_user
from command_service.domain.shop import Shop
from shared.contracts.events import Event, UserRenamed


class UpdateUserName(CommandMessage):
    name: Name


def required_state(message: UpdateUserName, context: Context) -> RequiredState:
    return RequiredState(users=(context.id,))


def update_user_name(message: UpdateUserName, context: Context, shop: Shop) -> list[Event]:
    user = target_user(shop, context)
    if user.name == message.name:
        return []
    return [UserRenamed(id=user.id, version=user.version + 1, name=message.name)]


COMMAND = Command(
    name="UpdateUserName",
    message=UpdateUserName,
    method="PUT",
    path="/v1/users/{id}/name",
    topic="users",
    scopes=("users:write", "users:write:all"),
    required_state=required_state,
    decide=update_user_name,
)
