"""The form of a problem, and that it quotes no value."""

import json
from typing import Annotated
from uuid import UUID

import pytest
from pydantic import BaseModel, ConfigDict, Field, field_validator
from pydantic_core import PydanticCustomError

from shared.http.invalid_fields import pointer, read_json
from shared.http.messages import problem_response
from shared.http.problems import PROBLEM_TYPES, Problem, forbidden, invalid_field, unauthorized


class Line(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    quantity: Annotated[int, Field(ge=1, le=10)]


class Body(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    name: Annotated[str, Field(max_length=5)]
    customer: UUID
    lines: list[Line]

    @field_validator("name")
    @classmethod
    def not_taken(cls, name: str) -> str:
        if name == "quote":
            raise ValueError(f"{name} is not allowed")
        if name == "calm":
            raise ValueError("is reserved")
        if name == "mine":
            raise PydanticCustomError("name_taken", "is taken")
        return name


GOOD = {"name": "ada", "customer": "01890a5d-ac96-774b-bcce-b302099a8057", "lines": []}


def errors_of(**changes: object) -> list[tuple[str, str]]:
    with pytest.raises(Problem) as caught:
        read_json(Body, json.dumps({**GOOD, **changes}).encode())
    assert caught.value.name == "invalid-field"
    return [(error["field"], error["message"]) for error in caught.value.errors]


def test_every_name_of_the_contract_has_its_status() -> None:
    by_status: dict[int, set[str]] = {}
    for problem_type in PROBLEM_TYPES.values():
        by_status.setdefault(problem_type.status, set()).add(problem_type.name)
    assert {status: len(names) for status, names in by_status.items()} == {
        400: 1,
        401: 1,
        403: 1,
        404: 1,
        405: 1,
        409: 7,
        412: 2,
        413: 1,
        414: 1,
        415: 1,
        422: 3,
        429: 1,
        431: 1,
        500: 1,
        501: 1,
        503: 1,
    }


def test_a_problem_is_rendered_as_rfc_9457() -> None:
    reply = problem_response(invalid_field("/limit", "is too large"))
    assert reply.status == 422
    assert dict(reply.headers)[b"content-type"] == b"application/problem+json"
    document = json.loads(reply.body)
    assert document.pop("type").endswith("/invalid-field")
    assert document == {
        "title": "A field is not valid",
        "status": 422,
        "detail": "the request has an invalid field",
        "errors": [{"field": "/limit", "message": "is too large"}],
    }


def test_only_invalid_fields_have_errors() -> None:
    assert b"errors" not in Problem("not-found", "nothing").body()


@pytest.mark.parametrize(
    "name", ["too-many-requests", "unavailable", "projection-behind", "idempotency-key-in-use"]
)
def test_a_transient_problem_has_retry_after(name: str) -> None:
    assert (b"retry-after", b"1") in problem_response(Problem(name, "later")).headers


def test_headers_of_a_problem_replace_the_usual_ones() -> None:
    problem = Problem("unavailable", "later", headers={"Retry-After": "7"})
    assert problem.headers == {"Retry-After": "7"}


def test_the_challenge_names_an_error_only_where_a_token_was_sent() -> None:
    assert unauthorized("?", token_sent=False).headers == {"WWW-Authenticate": "Bearer"}
    sent = unauthorized("?", token_sent=True).headers["WWW-Authenticate"]
    assert sent == 'Bearer error="invalid_token"'


def test_a_missing_scope_is_named() -> None:
    challenge = forbidden("orders:write").headers["WWW-Authenticate"]
    assert challenge == 'Bearer error="insufficient_scope", scope="orders:write"'


@pytest.mark.parametrize("body", [b"", b"{", b'{"name": NaN', b"\xff", b'{"name": "\xff"}'])
def test_a_body_that_is_no_json_is_malformed(body: bytes) -> None:
    with pytest.raises(Problem) as caught:
        read_json(Body, body)
    assert caught.value.name == "malformed-request"


@pytest.mark.parametrize("body", [b"[]", b"null", b'"text"', b"3"])
def test_json_of_another_shape_is_an_invalid_field(body: bytes) -> None:
    with pytest.raises(Problem) as caught:
        read_json(Body, body)
    assert [error["field"] for error in caught.value.errors] == [""]


def test_fields_are_named_by_pointers() -> None:
    assert errors_of(lines=[{"quantity": 1}, {"quantity": 11}]) == [
        ("/lines/1/quantity", "Input should be less than or equal to 10")
    ]
    assert errors_of(surprise=1) == [("/surprise", "is not known")]
    assert pointer("a/b", "m~n", 3) == "/a~1b/m~0n/3"


def test_a_long_unknown_name_is_not_echoed() -> None:
    assert errors_of(**{"x" * 101: 1}) == [("", "is not known")]


@pytest.mark.parametrize("value", ["quote", "z-secret", "secret-name-of-a-user", 4321])
def test_no_message_quotes_the_value(value: object) -> None:
    for field in ("name", "customer", "lines"):
        for _, message in errors_of(**{field: value}):
            assert str(value) not in message
            assert "`z`" not in message


def test_the_models_own_messages_are_kept() -> None:
    assert errors_of(name="calm") == [("/name", "is reserved")]
    assert errors_of(name="mine") == [("/name", "is taken")]
    assert errors_of(name="quote") == [("/name", "is not valid")]


@pytest.mark.parametrize(
    "number", ["1e400", "-1e400", "9" * 5000, "-" + "9" * 5000, "1" * 350 + ".5"]
)
def test_a_number_that_is_too_large_for_the_parser_is_an_invalid_field(number: str) -> None:
    body = f'{{"lines": [{{"quantity": 1}}, {{"quantity": {number}}}]}}'
    with pytest.raises(Problem) as caught:
        read_json(Body, body.encode())
    assert (caught.value.name, caught.value.status) == ("invalid-field", 422)
    assert caught.value.errors == [{"field": "/lines/1/quantity", "message": "is out of range"}]


@pytest.mark.parametrize(
    "body", ["[1e400", "{1e400: 1}", "[1e400, NaN]", "[1e400]" + "x", "[" * 9000]
)
def test_a_large_number_does_not_make_json_of_another_text(body: str) -> None:
    with pytest.raises(Problem) as caught:
        read_json(Body, body.encode())
    assert caught.value.name == "malformed-request"
