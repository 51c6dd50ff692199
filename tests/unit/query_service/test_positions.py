"""Which checkpoints make views readable."""

import pytest

from query_service.positions import Positions
from shared.contracts.views import Checkpoint
from shared.http.problems import Problem


def stored(position: int, target: int = 0) -> bytes:
    return Checkpoint(position, position - 1, "", target).encode()


def test_a_checkpoint_has_its_position() -> None:
    positions = Positions()
    assert positions.check("users.1", stored(7), positions.floor("users.1")) == 7
    assert positions.floor("users.1") == 7


def test_a_reply_overtaken_by_a_later_one_is_valid() -> None:
    positions = Positions()
    floor = positions.floor("users.1")
    assert positions.check("users.1", stored(9), floor) == 9
    assert positions.check("users.1", stored(8), floor) == 8
    assert positions.floor("users.1") == 9


@pytest.mark.parametrize("found", [None, b"", b"x", stored(4), stored(9, target=10)])
def test_views_that_are_missing_or_were_set_back_are_unavailable(found: bytes | None) -> None:
    positions = Positions()
    positions.check("users.1", stored(5), 0)
    with pytest.raises(Problem) as raised:
        positions.check("users.1", found, positions.floor("users.1"))
    assert raised.value.name == "unavailable"
    assert positions.check("users.1", stored(5), positions.floor("users.1")) == 5
