"""The auditor detects each kind of defect, and finds nothing in a clean run."""

import pytest

from faults.auditor import judge
from tests.faults.clean_run import clean, erase, pay
from tests.faults.defects import DEFECTS, Defect


def test_a_clean_run_has_no_findings() -> None:
    assert not any(judge(clean()).values())


def test_a_complete_erasure_has_no_findings() -> None:
    evidence = clean()
    erase(evidence)
    evidence.texts["table log"] = b'{"name": "Ada-2"}'
    assert not judge(evidence)["erasure"]


def test_a_refund_and_an_order_that_was_not_paid_in_time_have_no_findings() -> None:
    evidence = clean()
    pay(evidence)
    assert not judge(evidence)["payments"]


@pytest.mark.parametrize(
    ("property", "defect"), DEFECTS, ids=[f"{p}: {d.__name__}" for p, d in DEFECTS]
)
def test_a_defect_is_detected(property: str, defect: Defect) -> None:
    evidence = clean()
    defect(evidence)
    assert judge(evidence)[property]


def test_every_property_detects_a_defect() -> None:
    assert {property for property, _ in DEFECTS} == judge(clean()).keys()
