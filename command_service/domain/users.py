"""A user: name and email, until the user is erased."""

import unicodedata
from typing import NamedTuple, assert_never

from shared.contracts.events import (
    UserCreated,
    UserEmailChanged,
    UserErased,
    UserEvent,
    UserRenamed,
)


class User(NamedTuple):
    """`name` and `email` are None once the user is erased."""

    id: str
    name: str | None
    email: str | None
    version: int
    erased: bool = False


def email_key(email: str) -> str:
    """Emails with equal keys are the same email."""
    # Case folding can take a letter apart, so that it has to be composed once more.
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", email).casefold())


def evolve_user(user: User | None, event: UserEvent) -> User:
    """The user after the event."""
    if isinstance(event, UserCreated):
        return User(event.id, event.name, event.email, event.version)
    assert user is not None
    match event:
        case UserRenamed():
            return user._replace(name=event.name, version=event.version)
        case UserEmailChanged():
            return user._replace(email=event.email, version=event.version)
        case UserErased():
            return User(user.id, None, None, event.version, erased=True)
        case _:
            assert_never(event)
