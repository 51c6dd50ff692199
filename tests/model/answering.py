"""What the model answers to a request: the checks in their order, then the decision."""

from tests.model.decisions import DECISIONS
from tests.model.fields import valid
from tests.model.model import Expected, Model, Refused, Request
from tests.model.scopes import OWN, REACHING_ALL


def answer(model: Model, request: Request, given_id: str | None) -> Expected:
    """The expected answer; the model changes as it says. `given_id` is a new aggregate's id."""
    try:
        _admit(request)
        stored = _stored(model, request)
    except Refused as refused:
        return Expected(refused.status, refused.problem)
    if stored is not None:
        return stored
    expected = _decided(model, request, given_id)
    if request.key is not None:
        model.answers[request.sub, request.key] = (request.fingerprint(), expected)
    return expected


def _admit(request: Request) -> None:
    own, unrestricted_scope = OWN.get(request.command), REACHING_ALL[request.command]
    if not request.scopes & {own, unrestricted_scope}:
        raise Refused(403, "forbidden")
    if not valid(request.command, request.body):
        raise Refused(422, "invalid-field")
    # Whose order it is stands in the body: known only once the body is.
    for_oneself = request.body.get("customer_id") == request.sub
    if (
        request.command == "PlaceOrder"
        and unrestricted_scope not in request.scopes
        and not for_oneself
    ):
        raise Refused(403, "forbidden")


def _stored(model: Model, request: Request) -> Expected | None:
    if request.key is None or (request.sub, request.key) not in model.answers:
        return None
    fingerprint, first = model.answers[request.sub, request.key]
    if fingerprint != request.fingerprint():
        raise Refused(422, "idempotency-key-reused")
    return Expected(first.status, first.problem, first.version, first.id, replayed=True)


def _decided(model: Model, request: Request, given_id: str | None) -> Expected:
    try:
        id = DECISIONS[request.command](model, request, given_id or "none was given")
    except Refused as refused:
        return Expected(refused.status, refused.problem)
    return Expected(200 if request.target else 201, version=model.version(id), id=id)
