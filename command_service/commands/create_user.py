"""CreateUser: an email belongs to one user; its case is ignored."""

from command_service.commands.command import Command, CommandMessage, Context, RequiredState
from command_service.commands.fields import Email, Name
from command_service.domain.rejection import Rejection
from command_service.domain.shop import Shop
from command_service.domain.users import email_key
from shared.contracts.events import Event, UserCreated


class CreateUser(CommandMessage):
    name: Name
    email: Email


def required_state(message: CreateUser, context: Context) -> RequiredState:
    return RequiredState(emails=(email_key(message.email),))


def create_user(message: CreateUser, context: Context, shop: Shop) -> list[Event]:
    if email_key(message.email) in shop.emails:
        raise Rejection("email-taken", "the email belongs to another user")
    return [UserCreated(id=context.id, version=1, name=message.name, email=message.email)]


COMMAND = Command(
    name="CreateUser",
    message=CreateUser,
    method="POST",
    path="/v1/users",
    topic="users",
    scopes=("users:write:all",),
    required_state=required_state,
    decide=create_user,
    problems=("email-taken",),
    creates=True,
)
