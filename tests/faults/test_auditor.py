"""The auditor flags a defect of each kind that it is there for, and nothing in a clean run."""

import pytest

from faults.auditor import judge
from tests.faults.defects import DEFECTS, Defect
from tests.faults.handmade import clean


def test_a_clean_run_is_flagged_by_nothing() -> None:
    assert not any(judge(clean()).values())


@pytest.mark.parametrize(
    ("property", "defect"), DEFECTS, ids=[f"{p}: {d.__name__}" for p, d in DEFECTS]
)
def test_a_defect_is_flagged(property: str, defect: Defect) -> None:
    evidence = clean()
    defect(evidence)
    assert judge(evidence)[property]


def test_every_property_has_a_defect_that_it_flags() -> None:
    assert {property for property, _ in DEFECTS} == judge(clean()).keys()
