"""The view of accounts."""

from typing import Final, assert_never, cast

from projector.views.view import View, absent, event_types, existing
from shared.contracts.dashboard_parts import UsersPart
from shared.contracts.documents import UserDocument
from shared.contracts.events import (
    UserCreated,
    UserEmailChanged,
    UserErased,
    UserEvent,
    UserRenamed,
)
from shared.contracts.views import ids_key


def project(document: UserDocument | None, event: UserEvent, at: str) -> UserDocument | None:
    match event:
        case UserCreated():
            absent(document)
            return _created(event, at)
        case UserRenamed():
            user = _changed(document, event, at)
            user["name"] = _text(event.name)
            return user
        case UserEmailChanged():
            user = _changed(document, event, at)
            user["email"] = _text(event.email)
            return user
        case UserErased():
            existing(document)
            return None
        case _:
            assert_never(event)


def owner(user: UserDocument) -> str:
    return user["id"]


def lists(shard: str, user: UserDocument) -> list[str]:
    return [ids_key(shard)]


def empty_part() -> UsersPart:
    return {"users": 0}


def count(part: UsersPart, before: UserDocument | None, after: UserDocument | None) -> None:
    part["users"] += (after is not None) - (before is not None)


def _created(event: UserCreated, at: str) -> UserDocument:
    return {
        "id": event.id,
        "name": _text(event.name),
        "email": _text(event.email),
        "version": event.version,
        "created_at": at,
        "updated_at": at,
    }


def _changed(document: UserDocument | None, event: UserEvent, at: str) -> UserDocument:
    user: UserDocument = existing(document).copy()
    user["version"] = event.version
    user["updated_at"] = at
    return user


def _text(personal: str | None) -> str:
    """Null if the user has been erased; `user.erased` follows before the document can be read."""
    return cast("str", personal)


USERS: Final = View(
    name="users",
    topic="users",
    events=event_types(UserEvent),
    project=project,
    owner=owner,
    lists=lists,
    listed_by=(),
    empty_part=empty_part,
    count=count,
    erases=UserErased,
    size=lambda part: part["users"],
    adds=(UserCreated,),
    removes=(UserErased,),
)
