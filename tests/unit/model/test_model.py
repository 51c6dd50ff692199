"""The rules of the model that Tandem is compared with."""

from typing import Any

from tests.model.expected_responses import expected_response
from tests.model.model import ExpectedResponse, Model, Request
from tests.model.scopes import ALL_SCOPES, OWN_SCOPES

PRICE = {"amount": 100, "currency": "EUR"}


def _send(
    model: Model, command: str, target: str | None, new_id: str = "", **fields: Any
) -> ExpectedResponse:
    options = {name: fields.pop(name) for name in ("key", "if_match") if name in fields}
    sub, scopes = fields.pop("sub", "admin"), fields.pop("scopes", ALL_SCOPES)
    return expected_response(
        model, Request(command, target, fields, sub, scopes, **options), new_id
    )


def _order(model: Model, new_id: str, quantity: int, **options: Any) -> ExpectedResponse:
    items = [{"product_id": "p", "quantity": quantity}]
    fields = {"customer_id": "u", "items": items, "shipping_address": "a", **options}
    return _send(model, "PlaceOrder", None, new_id, **fields)


def _shop() -> Model:
    model = Model()
    _send(model, "CreateUser", None, "u", name="Ada", email="ada@x")
    _send(model, "AddProduct", None, "p", name="Tea", description="", price=PRICE, stock=3)
    return model


def test_orders_reserve_stock_and_cancelling_releases_it() -> None:
    model = _shop()
    assert _order(model, "o", 2) == ExpectedResponse(201, version=1, id="o")
    assert _order(model, "o2", 2).problem == "insufficient-stock"
    assert model.products["p"]["stock"] == 1
    assert _send(model, "CancelOrder", "o", reason="late").version == 2
    assert _send(model, "CancelOrder", "o", reason="late").problem == "order-state"
    assert model.products["p"]["stock"] == 3
    assert [type for type, _, _ in model.events["p"]] == [
        "product.added",
        "product.reserved",
        "product.released",
    ]


def test_a_key_replays_the_first_response_and_belongs_to_one_request() -> None:
    model = _shop()
    first = _order(model, "o", 9, key="k")
    _send(model, "RestockProduct", "p", quantity=50)
    replayed = _order(model, "o", 9, key="k")
    assert (replayed.status, replayed.problem, replayed.replayed) == (409, first.problem, True)
    assert _order(model, "o", 1, key="k").problem == "idempotency-key-reused"
    assert _order(model, "o", 9, key="k", sub="another").status == 201


def test_other_users_are_not_found_and_ordering_for_them_is_forbidden() -> None:
    model = _shop()
    own: dict[str, Any] = {"sub": "v", "scopes": OWN_SCOPES}
    assert _send(model, "UpdateUserName", "u", name="X", **own).status == 404
    assert _order(model, "o", 1, **own).status == 403
    assert _send(model, "UpdateUserName", "u", name="X", sub="u", scopes=OWN_SCOPES).version == 2


def test_an_unchanged_name_has_no_event_and_another_version_is_412() -> None:
    model = _shop()
    assert _send(model, "UpdateUserName", "u", name=" Ada ").version == 1
    assert _send(model, "UpdateUserName", "u", name="B", if_match=2).status == 412
    assert _send(model, "UpdateUserName", "u", name="").problem == "invalid-field"


def test_erasure_releases_the_email_and_anonymizes_the_orders() -> None:
    model = _shop()
    _order(model, "o", 1)
    taken = _send(model, "CreateUser", None, "v", name="B", email="ADA@X")
    assert taken.problem == "email-taken"
    assert _send(model, "EraseUser", "u").version == 2
    assert model.anonymize("u", "admin") == ["o"]
    assert model.orders["o"]["customer_name"] is None
    assert _send(model, "CreateUser", None, "v", name="B", email="ADA@X").status == 201
    assert _order(model, "o2", 1).problem == "unknown-reference"
