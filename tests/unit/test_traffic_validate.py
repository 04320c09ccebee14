"""What the city's validation makes of what came, and what it hears of its plant."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gemeos.errors import InputError, LinkError
from gemeos.twins.traffic.demand.heard import Heard
from gemeos.twins.traffic.demand.trial import Day, Plan, Results
from gemeos.twins.traffic.validate import checks_of, validate

PLAN = Plan(members=4, forecasters=4, warm=0, leads=(1, 2), issued=1)
ISSUES = 24


def results(*, off: float, inside: float) -> Results:
    """Four loops, of which one is withheld and told wrongly by ``off`` in five minutes."""
    found = Results("town", np.array([True, False, True, True]), PLAN.leads)
    for _ in range(ISSUES):
        came = np.array([20.0, 40.0, 30.0, 10.0])
        found.came.append(came)
        found.told.append(came + np.array([0.0, off, 0.0, 0.0]))
        found.misfit.append((1.0,))
    rng = np.random.default_rng(2)
    for lead in PLAN.leads:
        for who, score in (("twin", 1.0), ("last", 2.0), ("mean", 1.2), ("yesterday", 3.0)):
            found.scores[who, lead] = [
                np.full(3, score) + rng.normal(0, 0.01, 3) for _ in range(ISSUES)
            ]
        found.held["twin", lead] = [rng.random(300) < inside for _ in range(ISSUES)]
    return found


def yesterday() -> Day:
    counts = np.tile([4.0, 8.0, 6.0, 2.0], (5 * ISSUES, 1))
    counts[::2] += 1.0
    return Day(counts, np.full_like(counts, 10.0))


def by_name(found: Results) -> dict[str, bool | None]:
    return {
        check.name.removeprefix("town: "): check.ok for check in checks_of(found, yesterday(), PLAN)
    }


def test_that_a_twin_that_tells_counts_and_their_doubt_keeps_its_promises() -> None:
    # 120 told and 117 counted in 15 minutes are a GEH of sqrt(2 (12)^2 / 948) = 0.55.
    kept = by_name(results(off=-1.0, inside=0.9))
    assert kept["GEH < 5, withheld detectors"] is True
    assert kept["GEH < 5, fed detectors"] is None
    assert kept["CRPS of counts ahead against the last count"] is True
    assert kept["CRPS of counts ahead against the same time the day before"] is True
    assert kept["CRPS of counts ahead against the mean of the last 15 minutes"] is None
    assert kept["coverage of 90 % intervals"] is True


def test_that_misses_are_told_as_misses() -> None:
    # 120 counted and 60 told in 15 minutes are a GEH of sqrt(2 (240)^2 / 720) = 12.6.
    missed = by_name(results(off=-20.0, inside=0.97))
    assert missed["GEH < 5, withheld detectors"] is False
    assert missed["coverage of 90 % intervals"] is False


def test_that_a_district_with_one_loop_and_nobody_on_it_judges_nothing() -> None:
    one = results(off=0.0, inside=0.9)
    one.fed = np.array([True])
    one.came = [row[:1] * 0.0 for row in one.came]
    one.told = [row[:1] * 0.0 for row in one.told]
    one.scores = {key: [row * 0.0 for row in rows] for key, rows in one.scores.items()}
    counts = yesterday().counts[:, :1] * 0.0
    told = {c.name: c for c in checks_of(one, Day(counts, counts - 1.0), PLAN)}
    assert told["town: GEH < 5, withheld detectors"].ok is None
    assert "of too few" in str(told["town: GEH < 5, withheld detectors"].measured)
    assert str(told["town: GEH < 5, fed detectors"].measured).endswith("0 with 10 vehicles or more")
    assert told["town: CRPS of counts ahead against the last count"].measured == "nobody came by"


def test_that_few_issues_judge_no_goal_that_asks_for_an_interval() -> None:
    few = results(off=0.0, inside=0.9)
    for rows in (*few.scores.values(), *few.held.values()):
        del rows[4:]
    told = {c.name.removeprefix("town: "): c for c in checks_of(few, yesterday(), PLAN)}
    assert told["coverage of 90 % intervals"].ok is None
    assert "too few issues" in told["coverage of 90 % intervals"].measured
    assert told["CRPS of counts ahead against the last count"].ok is None


def test_that_the_gain_in_crps_is_told_in_per_cent() -> None:
    checks = {c.name: c.measured for c in checks_of(results(off=0, inside=0.9), yesterday(), PLAN)}
    told = checks["town: CRPS of counts ahead against the last count"].split(": ")[1]
    # 1 instead of 2.
    assert float(told.split(" %")[0]) == pytest.approx(50.0, abs=0.5)


def reading(minute: int, value: float, seq: int) -> dict[str, object]:
    return {"seq": seq, "valid_at": f"2026-03-02T00:{minute:02d}:00Z", "value": value, "unit": ""}


def test_that_readings_come_to_their_minute_and_enough_is_enough() -> None:
    heard = Heard(("a b", "c"), 2)
    for seq, (minute, name) in enumerate([(1, "a%20b"), (1, "c"), (2, "a%20b"), (2, "c")]):
        told = reading(minute, 3.0 + seq, seq)
        assert heard.take(f"city/reading/{name}/count", told) == seq
    assert heard.take("city/reading/c/speed", reading(2, 9.0, 4)) == 4
    assert not heard.full.is_set()
    # What comes later is not committed: the plant stands still.
    assert heard.take("city/reading/c/count", reading(3, 1.0, 5)) is None
    assert heard.full.is_set()
    day = heard.between(0, 2)
    assert day.counts.tolist() == [[3.0, 4.0], [5.0, 6.0]]
    assert day.speeds.tolist() == [[-1.0, -1.0], [-1.0, 9.0]]


def test_that_a_minute_without_counts_is_told() -> None:
    heard = Heard(("a",), 2)
    heard.take("city/reading/a/count", reading(1, 3.0, 0))
    with pytest.raises(LinkError, match="every loop in every minute"):
        heard.between(0, 2)


def test_that_a_folder_without_a_district_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="describes a district"):
        validate(tmp_path)
    with pytest.raises(InputError, match="no ablations"):
        validate(tmp_path, ablations=True)
