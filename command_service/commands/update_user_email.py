"""UpdateUserEmail: one's own email in another spelling is a change."""

from command_service.commands.command import Command, Context, Message, Touched
from command_service.commands.fields import Email
from command_service.commands.targets import target_user
from command_service.domain.rejection import Rejection
from command_service.domain.shop import Shop
from command_service.domain.users import email_key
from shared.contracts.events import Event, UserEmailChanged


class UpdateUserEmail(Message):
    email: Email


def touches(message: UpdateUserEmail, context: Context) -> Touched:
    return Touched(users=(context.id,), emails=(email_key(message.email),))


def update_user_email(message: UpdateUserEmail, context: Context, shop: Shop) -> list[Event]:
    user = target_user(shop, context)
    if shop.emails.get(email_key(message.email), user.id) != user.id:
        raise Rejection("email-taken", "the email belongs to another user")
    if user.email == message.email:
        return []
    return [UserEmailChanged(id=user.id, version=user.version + 1, email=message.email)]


COMMAND = Command(
    name="UpdateUserEmail",
    message=UpdateUserEmail,
    method="PUT",
    path="/v1/users/{id}/email",
    topic="users",
    scopes=("users:write", "users:write:all"),
    touches=touches,
    decide=update_user_email,
    problems=("email-taken",),
)
