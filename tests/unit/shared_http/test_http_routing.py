"""Which path finds which target."""

import pytest

from shared.http.routing import Routes

ROUTES = Routes(
    [
        ("/v1/orders", "list"),
        ("/v1/orders/{id}", "one"),
        ("/v1/orders/{id}/ship", "ship"),
        ("/v1/orders/{id}/lines/{line}", "line"),
        ("/v1/orders/recent", "recent"),
    ]
)


@pytest.mark.parametrize(
    ("path", "target", "params"),
    [
        ("/v1/orders", "list", {}),
        ("/v1/orders/7", "one", {"id": "7"}),
        ("/v1/orders/{}", "one", {"id": "{}"}),
        ("/v1/orders/7/ship", "ship", {"id": "7"}),
        ("/v1/orders/7/lines/2", "line", {"id": "7", "line": "2"}),
        ("/v1/orders/recent", "recent", {}),
    ],
)
def test_a_path_finds_its_template(path: str, target: str, params: dict[str, str]) -> None:
    assert ROUTES.find(path) == (target, params)


@pytest.mark.parametrize(
    "path",
    ["", "/", "/v1/orders/", "/v1/orders//ship", "/v1/orders/7/ship/", "/v1/{}", "/V1/orders", "*"],
)
def test_a_variant_of_a_path_is_another_path(path: str) -> None:
    assert ROUTES.find(path) is None
