"""The dossier of a plan of a twin that somebody else's simulator moves, and the search of its past.

A file holds no simulation, only how each came about; whoever works it out anew begins them again,
and comes to the same bits where the same engine can be had.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import gemeos as gm
from gemeos.engines.outcome import Told
from gemeos.errors import OutOfReachError
from gemeos.foresee.verdict import Advice
from gemeos.link.base import Arrival
from gemeos.runtime.dossier import Dossier
from gemeos.runtime.host import Host
from gemeos.runtime.links import HttpLink
from gemeos.runtime.recheck import rechecked
from gemeos.schema.reading import Reading, Readings, Series
from gemeos.testing.device import Device, DeviceLink
from gemeos.testing.valve import until
from tests.contracts.tank_engine import TankEngine
from tests.contracts.test_engine_twin import (
    HIDDEN,
    NOISE,
    START,
    STEP,
    level_after,
    log,
    model,
    running,
    tank,
)

ROOT = Path(__file__).parents[2]
BEFORE, AFTER = 30, 13
"""Instants that are read before the plan, and until its horizon has passed."""
VALVES = ("open", "half", "shut")


def tank_twin(name: str) -> gm.Twin:
    """The twin of it, nothing bound: what a file is worked out with."""
    return gm.Twin(name, model(), members=24, horizon="1 h")


class Original:
    """The tank itself, whose valve a device sets."""

    def __init__(self) -> None:
        self.device = Device({"tank/valve": 0.0})
        self._engine, self._rng, self._k = TankEngine(), np.random.default_rng(3), 0
        self._engine.reset({}, 99, START - STEP)
        self._engine.set({"leak": HIDDEN})

    def site(self) -> gm.Site:
        twin = tank_twin("tank").bind("l:g", to="gauge")
        twin.actuate("plc:tank/valve", to="valve", tolerance="0.01")
        twin = twin.conducted(watch="10 s", settle="5 s")
        links, clock = (HttpLink(name="l"),), gm.Replay(START, 1.0, "made for a test")
        return gm.Site("s", (twin,), links, (DeviceLink("plc", self.device),), clock)

    def live(self, host: Host, instants: int) -> None:
        """Let it go on, and have what is measured taken in."""
        for _ in range(instants):
            now = START + self._k * STEP
            self._engine.set({"valve": VALVES[round(self.device.values["tank/valve"])]})
            self._engine.advance(now)
            told = self._engine.get(["level"])
            assert isinstance(told, Told)
            value = float(told.value["level"]) + NOISE * float(self._rng.normal())
            self._taken(host, [Reading(Series("l", "g"), now, value)])
            self._k += 1

    def _taken(self, host: Host, rows: Sequence[Reading]) -> None:
        readings = Readings.of(rows, host.timeline.book)

        def taken() -> None:
            # As a link's task does. It belongs to a lane beside the path, which hears of what is
            # stored and is woken.
            host.clock.follow(rows[-1].valid_at)  # type: ignore[attr-defined]
            host._assimilate(readings, host._store(Arrival(readings)))
            assert host._loop is not None
            for lane in host._beside:
                host._loop.call_soon_threadsafe(lane.wake)

        host.compute.path(taken).result(30.0)
        assert host.wait(30.0)

    def scored(self, host: Host) -> bool:
        self.live(host, 1)
        time.sleep(0.1)
        return all(row.score for row in host.applying.ledgers.of().rows)

    def close(self) -> None:
        self._engine.close()


@pytest.fixture(scope="module")
def content() -> bytes:
    """Of a plan that was searched for, applied, and scored."""
    original = Original()
    with gm.run(original.site()) as site:
        host, twin = site.host, site["tank"]
        until(lambda: original.device.cut is not None)
        original.live(host, BEFORE)
        found = twin.optimise(
            "half",
            over={"valve": ["0", "1", "2"]},
            until="2 min",
            every="20 s",
            minimise="last(abs(gauge - 0.5 m))",
            budget="60 runs",
        )
        assert found.is_recommended
        twin.plans.of_optimisation("half", on=["gauge"])
        twin.apply("half", approve="ada", dry_run=False)
        until(lambda: host.timeline.events(kind="taken"))
        original.live(host, AFTER)
        until(lambda: original.scored(host), 50.0)
        content = twin.plans.dossier("half")
    original.close()
    return content


def test_that_it_tells_what_the_plan_promised_and_brought(content: bytes) -> None:
    told = Dossier.from_bytes(content).told
    assert told.twin.model == "tests.contracts.tank_engine:TankEngine, engine tank 1"
    assert told.score is not None
    assert told.score.delivered is not None
    assert told.score.readings > 0
    assert told.plan.plan.promise is not None


def test_that_another_process_that_has_the_engine_comes_to_the_same_bits(
    content: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "half.dossier"
    path.write_bytes(content)
    asked = [sys.executable, "-m", "gemeos", "dossier", str(path), "--check", "--json"]
    done = subprocess.run(
        [*asked, "--model", "tests.contracts.test_dossier_of_engines:tank_twin"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    findings = {each["what"]: each["same"] for each in json.loads(done.stdout)}
    assert findings == dict.fromkeys(["plan", "forecast", "promise", "verdict", "ledger"], True)


def test_that_another_engine_is_refused_and_it_says_which_one_it_was(content: bytes) -> None:
    other = gm.Twin("tank", replace(model(), stride="2 min"), members=24)
    with pytest.raises(OutOfReachError, match="TankEngine, engine tank 1"):
        rechecked(Dossier.from_bytes(content), other)


class Moody(TankEngine):
    """The same tank, of which somebody says that it never does the same again."""

    spec = replace(
        TankEngine.spec, capabilities=replace(TankEngine.spec.capabilities, deterministic=False)
    )


def test_that_an_engine_that_does_not_repeat_itself_is_refused(content: bytes) -> None:
    other = gm.Twin("tank", replace(model(), opened=Moody), members=24)
    with pytest.raises(OutOfReachError, match="does not repeat itself"):
        rechecked(Dossier.from_bytes(content), other)


def test_that_advice_of_the_past_is_asked_of_an_engine_too() -> None:
    with running(tank(model(), members=24), log(43)) as site:
        told = site["tank"].hindcast(
            over={"valve": "0, 1, 2"},
            minimise="last(abs(gauge - 0.5 m))",
            within="2 min",
            look_every="1 min",
            since=START + 30 * STEP,
            until=START + 42 * STEP,
            budget="60 runs",
        )
    assert told.advice is not None
    (row,) = told.advice.issued
    assert row.advice is Advice.CHANGE
    # Half open it comes to rest at half of 0.98 m: 0.02 m to the other side of what is wanted.
    assert row.values == {"valve": "half"}
    was = level_after(430, 2.0, HIDDEN)
    begun = level_after(310, 2.0, HIDDEN)
    would = level_after(120, begun, HIDDEN, inflow=0.01)
    true = abs(was - 0.5) - abs(would - 0.5)
    assert row.delivered is not None
    assert row.delivered.low < true < row.delivered.high
    assert row.delivered.high - row.delivered.low < 0.5 * true
    assert row.inside is True
