"""Who may see a document: its owner, and who holds the scope for everybody's."""

from query_service.consistency import ConsistencyRequirement, merged_token
from query_service.documents import Found
from query_service.http.responses import not_found
from shared.contracts.views import unpack_document
from shared.http.caller import Caller
from shared.http.problems import unavailable


def visible(
    found: Found,
    wanted: ConsistencyRequirement | None,
    caller: Caller | None,
    unrestricted_scope: str | None,
    *,
    private: bool,
) -> tuple[bytes, bytes]:
    """The version, as its digits, and the body of a document that the caller may see.

    If `unrestricted_scope` is None, the document is public. Raises 404, and 503 if one of its
    events that the token covers is parked.
    """
    version, owner, body = b"", b"", None
    if found.stored is not None:
        version, _, owner, body = unpack_document(found.stored)
        if unrestricted_scope is not None and not reaches(
            caller, owner.decode(), unrestricted_scope
        ):
            body = None
    if found.withheld and (body is not None or found.stored is None):
        raise unavailable("an event that the token stands for is parked")
    if body is None:
        raise not_found(merged_token(wanted, found.read), private=private)
    return version, body


def reaches(caller: Caller | None, owner: str, unrestricted_scope: str) -> bool:
    """Whether the caller is the owner, or may see everybody's."""
    return caller is not None and (caller.sub == owner or unrestricted_scope in caller.scopes)
