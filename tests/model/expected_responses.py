"""The model's response to a request: the checks in their order, then the decision."""

from tests.model.decisions import DECISIONS
from tests.model.fields import valid
from tests.model.model import ExpectedResponse, Model, Rejected, Request
from tests.model.scopes import OWN, UNRESTRICTED


def expected_response(model: Model, request: Request, new_id: str | None) -> ExpectedResponse:
    """Return the expected response, and apply it to the model. `new_id` is a new aggregate's id."""
    try:
        _authorize_and_validate(request)
        stored = _stored_response(model, request)
    except Rejected as rejected:
        return ExpectedResponse(rejected.status, rejected.problem)
    if stored is not None:
        return stored
    expected = _decide(model, request, new_id)
    if request.key is not None:
        model.stored_responses[request.sub, request.key] = (request.fingerprint(), expected)
    return expected


def _authorize_and_validate(request: Request) -> None:
    own, unrestricted_scope = OWN.get(request.command), UNRESTRICTED[request.command]
    if not request.scopes & {own, unrestricted_scope}:
        raise Rejected(403, "forbidden")
    if not valid(request.command, request.body):
        raise Rejected(422, "invalid-field")
    # The customer is a field of the body, which must be valid first.
    own_order = request.body.get("customer_id") == request.sub
    if (
        request.command == "PlaceOrder"
        and unrestricted_scope not in request.scopes
        and not own_order
    ):
        raise Rejected(403, "forbidden")


def _stored_response(model: Model, request: Request) -> ExpectedResponse | None:
    if request.key is None or (request.sub, request.key) not in model.stored_responses:
        return None
    fingerprint, first = model.stored_responses[request.sub, request.key]
    if fingerprint != request.fingerprint():
        raise Rejected(422, "idempotency-key-reused")
    return ExpectedResponse(first.status, first.problem, first.version, first.id, replayed=True)


def _decide(model: Model, request: Request, new_id: str | None) -> ExpectedResponse:
    try:
        id = DECISIONS[request.command](model, request, new_id or "no id")
    except Rejected as rejected:
        return ExpectedResponse(rejected.status, rejected.problem)
    return ExpectedResponse(200 if request.target else 201, version=model.version(id), id=id)
