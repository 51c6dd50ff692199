"""CreateUser: an email belongs to one user, whatever its case."""

from command_service.commands.command import Command, Context, Message, Touched
from command_service.commands.fields import Email, Name
from command_service.domain.rejection import Rejection
from command_service.domain.shop import Shop
from command_service.domain.users import email_key
from shared.contracts.events import Event, UserCreated


class CreateUser(Message):
    name: Name
    email: Email


def touches(message: CreateUser, context: Context) -> Touched:
    return Touched(emails=(email_key(message.email),))


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
    touches=touches,
    decide=create_user,
    problems=("email-taken",),
    creates=True,
)
