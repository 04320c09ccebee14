"""Which plan a search holds its winner against: what was applied, as long as it stands."""

from __future__ import annotations

import pytest

from gemeos.act.undertaking import Stage
from gemeos.foresee.verdict import Advice
from gemeos.runtime.optimisation import OptimisationRecord
from gemeos.runtime.run import RunningSite
from gemeos.schema.reading import Reading, Readings, Series
from gemeos.testing.device import Device
from gemeos.testing.valve import (
    PATIENCE_S,
    PLACE,
    STEP,
    acting,
    feed,
    made,
    over,
    until,
    valve_twin,
)


def sought(running: RunningSite, name: str, present: str | None = None) -> OptimisationRecord:
    """The lowest valve; the twin is kept in step meanwhile."""
    tank = running["tank"]
    feed(running)
    tank.optimisations.begin(
        name,
        {"valve": "0.5 m^3/s, 0.8 m^3/s, 1.5 m^3/s"},
        until="5 s",
        every="1 s",
        minimise="mean(max(valve))",
        budget="60 runs",
        present=present,
    )

    def is_over() -> bool:
        feed(running)
        return tank.optimisations.record(name).progress.is_over

    until(is_over)
    return tank.optimisations.record(name)


def heard(running: RunningSite, value: float) -> None:
    """The twin reads where its valve stands."""
    host = running.host
    at = host.clock.now() // STEP * STEP
    rows = Readings.of([Reading(Series("inbox", "stand"), at, value)], host.timeline.book)

    def taken() -> None:
        host._assimilate(rows, host.timeline.append(rows, known_at=host.clock.now()))

    host.compute.path(taken).result(PATIENCE_S)


def test_that_a_plan_that_was_applied_is_in_force_until_it_is_undone() -> None:
    plc = Device({PLACE: 1.0}, "m^3/s")
    with acting(plc, twin=valve_twin(watch="1 s")) as running:
        tank = running["tank"]
        # Advised, and not applied: it is not in force.
        low = sought(running, "low")
        assert (low.advice, low.winner) == (Advice.CHANGE, {"valve": "0.5 m^3/s"})
        assert sought(running, "again").present == ""
        other = made(running, "0.8 m^3/s", name="other")
        tank.apply(other, approve="ada", dry_run=False)
        assert sought(running, "meanwhile").present == "other"
        assert over(running, other).stage is Stage.KEPT
        after = sought(running, "after")
        assert (after.present, after.in_force) == ("other", {"valve": 0.8})
        # 0.3 less than what stands, half of what nobody did: all without doubt.
        assert after.advice is Advice.CHANGE
        assert after.over_present[0].gain == pytest.approx(0.3)
        # Said otherwise, it counts otherwise.
        assert sought(running, "none", present="").in_force == {}
        assert sought(running, "said", present="low").in_force == {"valve": 0.5}
        best = made(running, "0.5 m^3/s", name="best")
        tank.apply(best, approve="ada", dry_run=False)
        assert over(running, best).stage is Stage.KEPT
        kept = sought(running, "kept")
        assert (kept.advice, kept.present) == (Advice.KEEP, "best")
        assert "Keep the present plan, best." in kept.told


def test_that_a_plan_that_was_given_up_leaves_the_one_before_it_in_force() -> None:
    plc = Device({PLACE: 1.0}, "m^3/s")
    with acting(plc, twin=valve_twin(watch="1 s")) as running:
        tank = running["tank"]
        first = made(running, "0.8 m^3/s", name="first")
        tank.apply(first, approve="ada", dry_run=False)
        assert over(running, first).stage is Stage.KEPT
        second = made(running, "1.5 m^3/s; 1.4 m^3/s after 1 min", name="second")
        tank.apply(second, approve="ada", dry_run=False)
        until(lambda: plc.values == {PLACE: 1.5})
        # It moves the valve more than once: no value of it stands.
        assert sought(running, "moving").in_force == {}
        tank.plans.give_up("second")
        assert over(running, second).stage is Stage.UNDONE
        assert plc.values == {PLACE: 0.8}
        assert sought(running, "restored").present == "first"


def test_that_a_plan_whose_control_somebody_moved_later_is_not_in_force() -> None:
    plc = Device({PLACE: 1.0}, "m^3/s")
    twin = valve_twin(watch="1 s").bind("inbox:stand", to="valve")
    with acting(plc, twin=twin) as running:
        plan = made(running, "0.8 m^3/s", name="mine")
        running["tank"].apply(plan, approve="ada", dry_run=False)
        assert over(running, plan).stage is Stage.KEPT
        heard(running, 0.8)
        assert sought(running, "stands").present == "mine"
        heard(running, 1.2)
        assert sought(running, "moved").present == ""
