"""A plan: what it must hold, its identity, what somebody reads who is to approve it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gemeos.errors import InputError
from gemeos.schema.plan import Band, Gain, Plan
from gemeos.testing.plans import NOW, plan
from gemeos.units.instant import SECOND

BAND = Band("level", "m", 0.9, (NOW, NOW + 10 * SECOND), (1.0, 2.0), (2.0, 4.0))


def test_that_a_plan_comes_back_from_the_wire_the_same_with_the_same_identity() -> None:
    told = plan(bands=(BAND,), gain=Gain("energy", "kWh", 5.0, 1.0, 9.0), best=0.8, seeds=(1, 2))
    assert Plan.from_bytes(told.to_bytes()) == told
    assert Plan.from_bytes(told.to_bytes()).id == told.id


def test_that_a_plan_of_the_same_name_with_another_value_is_another_plan() -> None:
    assert plan().id != plan({"valve": "1.6 m^3/s"}).id


def test_that_what_is_no_plan_is_told() -> None:
    with pytest.raises(InputError, match="This is no plan"):
        Plan.from_bytes(b"\x01")


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"name": "a b"}, "cannot name a plan"),
        ({"changes": {}}, "changes nothing"),
        ({"changes": {"valve": "3 opens"}}, "opens"),
        ({"expires_at": NOW - 10 * SECOND}, "expire before it is made"),
        ({"best": 1.2}, "lies within 0 and 1"),
        ({"recommended": False}, "say why"),
    ],
)
def test_that_a_plan_that_cannot_be_is_refused(wrong: dict[str, object], told: str) -> None:
    with pytest.raises(InputError, match=told):
        replace(plan(), **wrong)  # type: ignore[arg-type]


def test_that_who_is_asked_to_approve_reads_gain_doubt_and_what_speaks_against_it() -> None:
    told = repr(
        plan(
            gain=Gain("energy", "kWh", 5.0, 1.0, 9.0),
            recommended=False,
            against=("the gain may be none",),
            not_modelled=("wear",),
        )
    )
    assert "valve = 1.5 m^3/s" in told
    assert "energy: 5 kWh (1 to 9)" in told
    assert "NOT recommended: the gain may be none" in told
    assert "not modelled: wear" in told


def test_that_a_band_lies_straight_between_its_instants_and_nowhere_outside_of_them() -> None:
    assert BAND.around(NOW) == (1.0, 2.0)
    assert BAND.around(NOW + 5 * SECOND) == (1.5, 3.0)
    assert BAND.around(NOW + 11 * SECOND) is None
    assert BAND.around(NOW - 1) is None


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"low": (1.0,)}, "as many of each"),
        ({"valid_at": (NOW, NOW)}, "do not rise"),
        ({"low": (1.0, float("nan"))}, "has the ends"),
        ({"low": (3.0, 2.0)}, "has the ends"),
        ({"share": 1.0}, "share"),
    ],
)
def test_that_a_band_that_cannot_be_is_refused(wrong: dict[str, object], told: str) -> None:
    with pytest.raises(InputError, match=told):
        replace(BAND, **wrong)  # type: ignore[arg-type]
