"""Access to documents: for their owner, and for callers with the unrestricted scope."""

from typing import Final

from query_service.consistency import ConsistencyRequirement, merged_token
from query_service.documents import StoredDocument
from query_service.http.responses import not_found
from shared.contracts.views import unpack_document
from shared.http.caller import Caller
from shared.http.problems import unavailable

PARKED: Final = "an event that the token covers is parked"


def require_visible(
    document: StoredDocument,
    requirement: ConsistencyRequirement | None,
    caller: Caller | None,
    unrestricted_scope: str | None,
    *,
    private: bool,
) -> tuple[bytes, bytes]:
    """The version, as its digits, and the body of a document that the caller may access.

    If `unrestricted_scope` is None, the document is public. Raises 404, and 503 if an event of the
    document that the token covers is parked.
    """
    version, owner, body = b"", b"", None
    if document.stored is not None:
        version, _, owner, body = unpack_document(document.stored)
        if unrestricted_scope is not None and not may_access(
            caller, owner.decode(), unrestricted_scope
        ):
            body = None
    if document.lacks_parked_event and (body is not None or document.stored is None):
        raise unavailable(PARKED)
    if body is None:
        raise not_found(merged_token(requirement, document.positions), private=private)
    return version, body


def may_access(caller: Caller | None, owner: str, unrestricted_scope: str) -> bool:
    """Whether the caller is the owner or has the unrestricted scope."""
    return caller is not None and (caller.sub == owner or unrestricted_scope in caller.scopes)
