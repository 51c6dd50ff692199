"""UpdateUserEmail: another spelling of the user's own email is a change."""

from command_service.commands.command import Command, CommandMessage, Context, RequiredState
from command_service.commands.fields import Email
from command_service.commands.targets import target_user
from command_service.domain.rejection import Rejection
from command_service.domain.shop import Shop
from command_service.domain.users import email_key
from shared.contracts.events import Event, UserEmailChanged


class UpdateUserEmail(CommandMessage):
    email: Email


def required_state(message: UpdateUserEmail, context: Context) -> RequiredState:
    return RequiredState(users=(context.id,), emails=(email_key(message.email),))


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
    required_state=required_state,
    decide=update_user_email,
    problems=("email-taken",),
)
