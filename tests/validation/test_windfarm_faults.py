"""Sensors of a real farm, spoiled at random: are they named, and is nobody else?

La Haute Borne in 2014 (ENGIE, Open Licence 2.0): forty times at random, a turbine that produces in
wind is given a dead anemometer (it still sends, 0 m/s) or a vane that repeats its last value. Each
of the forty twins has followed three days of the record before; all go side by side.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import pytest
from jaxtyping import Float64

from gemeos.assimilate.observe import Observed
from gemeos.ensemble.state import Monitor, Verdict
from gemeos.twins.windfarm import WindFarm, bound, farm
from gemeos.twins.windfarm.record import Deprived, Record, observed, read_record
from gemeos.twins.windfarm.walk import Walker, crew_of

TIMES = 20
WARM = 3 * 144
WITHIN = {"wind": 3, "vane": 12}
"""Readings until a dead anemometer, and a stuck vane, must be named."""
NAME = {"wind": Verdict.DEAD, "vane": Verdict.STUCK}
OTHERS_ABOVE = 4.0
PRODUCES_KW = 50.0


@dataclass(frozen=True)
class Case:
    """One spoiled turbine."""

    tag: str
    turbine: int
    row: int
    """Of the first spoiled reading."""
    record: Record
    """From ``WARM`` rows before, with what is wrong in it."""


def cases(record: Record, seed: int) -> list[Case]:
    """Twenty of each kind; nothing is chosen by how the twin fares there."""
    rng = np.random.default_rng(seed)
    out: list[Case] = []
    for tag in WITHIN:
        while sum(c.tag == tag for c in out) < TIMES:
            turbine = int(rng.integers(record.values["power"].shape[1]))
            row = int(rng.integers(WARM, len(record) - 13))
            window = slice(row - WARM, row + 13)
            others = np.delete(record.values["wind"][row], turbine).mean()
            made = record.values["power"][row, turbine]
            whole = all(np.isfinite(v[window]).all() for v in record.values.values())
            if not (whole and others > OTHERS_ABOVE and made > PRODUCES_KW):
                continue
            values = {name: v[window].copy() for name, v in record.values.items()}
            before = values[tag][WARM - 1, turbine]
            values[tag][WARM:, turbine] = 0.0 if tag == "wind" else before
            part = Record(record.first_tick + window.start, values)
            out.append(Case(tag, turbine, row, part))
    return out


def side_by_side(each: list[Observed]) -> Observed:
    """One batch of twins, each at an instant of its own."""
    joined = {f.name: np.concatenate([getattr(o, f.name) for o in each]) for f in fields(Observed)}
    return Observed(**joined)


@dataclass(frozen=True)
class Named:
    """What was held of every channel, reading by reading, from the last sound one on."""

    cases: list[Case]
    verdict: Float64[np.ndarray, "instant case channel"]
    channel: dict[tuple[str, int], int]
    """Of a tag and a turbine."""

    def of(self, tag: str) -> list[tuple[bool, int]]:
        """For each case whether the fault was named in time; and how many other channels were."""
        out = []
        for place, case in enumerate(self.cases):
            if case.tag != tag:
                continue
            told = self.verdict[: WITHIN[tag] + 1, place]
            right = self.channel[tag, case.turbine]
            newly = ((told[1:] != Verdict.SOUND) & (told[0] == Verdict.SOUND)).any(axis=0)
            newly[right] = False
            out.append((bool((told[1:, right] == NAME[tag]).any()), int(newly.sum())))
        return out


@pytest.fixture(scope="module")
def named(recorded_data: Path) -> Named:
    described = farm("la_haute_borne")
    folder = recorded_data / "la-haute-borne"
    record = read_record(folder, described, dt.date(2014, 1, 1), dt.date(2015, 1, 1))
    chosen = cases(record, seed=20140101)
    walker, one = Walker.of(bound("windfarm", WindFarm(described)), described)
    schema, twins = walker.cycle.stepper.schema, len(chosen)
    state, crew = one.take([0] * twins), crew_of(schema, twins, walker.seed)
    first = np.array([c.record.first_tick - 1 for c in chosen], np.int64)
    state = replace(state, tick=first)
    heard = Deprived.of_nothing(1, len(described.turbines))
    verdicts = []
    for row in range(WARM + max(WITHIN.values())):
        read = [observed(schema, walker.hearing, c.record, row, heard) for c in chosen]
        state = walker.cycle(state, crew, side_by_side(read))
        if row >= WARM - 1:
            verdicts.append(state.monitors[:, :, Monitor.VERDICT].copy())
    hearing = walker.hearing
    channel = {
        (tag, int(turbine)): int(place)
        for tag, turbine, place in zip(hearing.tag, hearing.turbine, hearing.channel, strict=True)
    }
    return Named(chosen, np.array(verdicts), channel)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("tag", list(WITHIN))
def test_that_a_spoiled_sensor_of_a_running_turbine_is_named_in_time(
    named: Named, tag: str
) -> None:
    told = named.of(tag)
    assert len(told) == TIMES
    assert sum(right for right, _ in told) >= 18


@pytest.mark.timeout(300)
@pytest.mark.parametrize("tag", list(WITHIN))
def test_that_hardly_any_sound_sensor_is_named_beside_it(named: Named, tag: str) -> None:
    assert sum(others > 0 for _, others in named.of(tag)) <= 2
