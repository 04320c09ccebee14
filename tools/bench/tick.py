"""One tick of 10,000 twins: model, filter, monitors, beside memory's speed and two peers."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from gemeos.assimilate.cycle import Cycle
from gemeos.assimilate.observe import Observed
from gemeos.ensemble.state import newborn
from gemeos.runtime.fleet import Fleet
from gemeos.runtime.lane import fleets_of
from gemeos.schema.reading import Readings, Series, SeriesBook
from gemeos.simulate.advance import Stepper
from tools.bench.model import LINK, MEMBERS, ROWS, SENSORS, STEP_US, QuietPair, pairs
from tools.bench.peers import copier, filterpy_tick, numpy_tick, prior
from tools.bench.report import Check, at_least, at_most
from tools.bench.run import Run
from tools.bench.store import START_US, batch

TWINS = 10_000
FIRST_TICK = START_US // STEP_US


def instant(fleet: Fleet, tick: int) -> Observed:
    """Both sensors of every twin at one instant, as a fleet hands them to its cycle."""
    twins = len(fleet.names)
    shape = (twins, len(SENSORS))
    value = np.sin(np.arange(twins * len(SENSORS)) * 0.37 + tick).reshape(shape) * 0.3
    nothing = np.full((twins, 0), np.nan)
    return Observed(
        tick=np.full(twins, tick, np.int64),
        channel=np.tile(np.arange(len(SENSORS), dtype=np.int32), (twins, 1)),
        sensor=np.tile(np.arange(len(SENSORS), dtype=np.int32), (twins, 1)),
        value=value,
        variance=np.full(shape, 0.01),
        valid_at=np.full(shape, tick * STEP_US, np.int64),
        driven_before=nothing,
        driven_after=nothing,
    )


def tick(run: Run) -> Sequence[Check]:
    """In turns: a tick, the same in numpy, a pass of copies; then some of filterpy's."""
    rounds = run.count(30, 5)
    (fleet,) = fleets_of(pairs(TWINS, QuietPair))
    state = newborn(fleet.schema, fleet.crew.keys, members=MEMBERS, channels=len(SENSORS))
    size = TWINS * ROWS * MEMBERS * np.dtype(np.float32).itemsize
    copied, members = copier(size), prior(TWINS)
    left = np.zeros(TWINS, np.float32)
    state = fleet.cycle(state, fleet.crew, instant(fleet, FIRST_TICK))
    ours, peer, copies, threads = [], [], [], []
    for n in range(1, rounds + 1):
        read = instant(fleet, FIRST_TICK + n)
        began, busy = time.perf_counter(), time.process_time()
        state = fleet.cycle(state, fleet.crew, read)
        ours.append(time.perf_counter() - began)
        threads.append((time.process_time() - busy) / ours[-1])
        began = time.perf_counter()
        members = numpy_tick(members, left)
        peer.append(time.perf_counter() - began)
        copies.append(copied())
    mine, theirs, copy = (float(np.median(s)) for s in (ours, peer, copies))
    run.progress.say("filterpy, a few twins")
    other = filterpy_tick(run.count(40, 10), 10) * TWINS
    ingest = _whole(fleet, run.count(10, 3))
    how = run.how(
        f"{1e3 * mine:.1f} ms a tick of {TWINS:,} twins x {MEMBERS} x {ROWS} rows x "
        f"{len(SENSORS)} sensors without noise (medians of {rounds}, in turns; "
        f"{np.median(threads):.2f} cores busy)"
    )
    whole = f"\nfrom readings, Fleet.take of one instant: {1e3 * ingest:.0f} ms"
    cycle = fleet.cycle
    if not (isinstance(cycle, Cycle) and isinstance(cycle.stepper, Stepper)):
        raise TypeError(f"{type(cycle).__name__} is not the cycle of a declared model.")
    runs, filters = type(cycle.stepper.simulator).__name__, type(cycle.analyst).__name__
    limit = f"; {runs} runs the model, {filters} the filter"
    return [
        at_most(
            "tick, against memory",
            mine / copy,
            10.0,
            "x a DRAM copy of as many bytes",
            f"{how}, copying {size / 1e6:.1f} MB {1e3 * copy:.2f} ms{limit}{whole}",
        ),
        at_least(
            "tick, against numpy",
            theirs / mine,
            10.0,
            "x the speed of batched numpy",
            f"{how}, the same filter in plain numpy {1e3 * theirs:.1f} ms{limit}",
        ),
        at_least(
            "tick, against filterpy",
            other / mine,
            1000.0,
            "x the speed of filterpy's EnsembleKalmanFilter",
            f"{how}, filterpy {1e6 * other / TWINS:,.0f} us a twin{limit}",
        ),
    ]


def _whole(fleet: Fleet, rounds: int) -> float:
    """Seconds in which the fleet takes in one instant's readings of all twins."""
    book = SeriesBook(
        Series(LINK, f"{name}/{sensor}") for name in fleet.names for sensor in SENSORS
    )
    each = len(fleet.names) * len(SENSORS)
    spent = []
    for n in range(rounds + 1):
        readings: Readings = batch(n * each, each, each)
        began = time.perf_counter()
        fleet.take(readings, book)
        spent.append(time.perf_counter() - began)
    return float(np.median(spent[1:]))
