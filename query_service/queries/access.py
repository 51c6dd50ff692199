"""Who may see a document: its owner, and who holds the scope for everybody's."""

from query_service.consistency import Wanted, covering
from query_service.documents import Found
from query_service.http.answers import not_found
from shared.contracts.views import unpack_document
from shared.http.caller import Caller
from shared.http.problems import unavailable


def visible(
    found: Found,
    wanted: Wanted | None,
    caller: Caller | None,
    everybodys: str | None,
    *,
    private: bool,
) -> tuple[bytes, bytes]:
    """The version, as its digits, and the body of a document that the caller may see.

    `everybodys` is the scope that reaches all; None: everybody may see it. Raises 404, and 503
    where an event of it that the token stands for is parked.
    """
    version, owner, body = b"", b"", None
    if found.stored is not None:
        version, _, owner, body = unpack_document(found.stored)
        if everybodys is not None and not reaches(caller, owner.decode(), everybodys):
            body = None
    if found.withheld and (body is not None or found.stored is None):
        raise unavailable("an event that the token stands for is parked")
    if body is None:
        raise not_found(covering(wanted, found.read), private=private)
    return version, body


def reaches(caller: Caller | None, owner: str, everybodys: str) -> bool:
    """Whether the caller is the owner, or may see everybody's."""
    return caller is not None and (caller.sub == owner or everybodys in caller.scopes)
