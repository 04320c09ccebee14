"""A reading that comes a minute late, beside the same instants in order."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

import numpy as np

import gemeos as gm
from gemeos.runtime.host import Host
from gemeos.runtime.run import timeline_of
from gemeos.schema.reading import Reading, Readings, Series, SeriesBook
from tools.bench.model import LINK, SENSORS, STEP_US, channels, pairs
from tools.bench.report import Check, at_most
from tools.bench.run import Run
from tools.bench.scripted import ScriptedLink
from tools.bench.store import START_US

A_SENSOR = 10
"""Channels bound to each sensor of the model: twenty sensors in all."""
LATE_TICKS = 600
"""A minute at a step of 0.1 s."""


def late(run: Run) -> Sequence[Check]:
    """A minute of 20 sensors in order, one reading of its first instant missing; then that one."""
    rounds = run.count(5, 2)

    def script(book: SeriesBook) -> Iterator[tuple[str, Readings]]:
        for n in range(rounds + 1):
            rows = _minute(n)
            missing = rows.pop(7)
            yield ("in order" if n else "warm"), Readings.of(rows, book)
            yield ("late" if n else "warm"), Readings.of([missing], book)

    link = ScriptedLink(script)
    site = gm.Site(
        "late",
        twins=pairs(1, channels_a_sensor=A_SENSOR),
        links=(link,),
        store=run.folder / "late.duckdb",
    )
    host = Host(site, timeline_of(site.store))
    try:
        host.resume()
        asyncio.run(host.run())
        rewinds = host.counted["rewinds"]
    finally:
        host.close()
    in_order, behind = (
        float(np.median([s for name, s in link.spent if name == which]))
        for which in ("in order", "late")
    )
    how = run.how(
        f"{1e3 * behind:.0f} ms until a reading {LATE_TICKS} instants old is durable, assimilated "
        f"and its remembered rows are written anew; the {LATE_TICKS} instants of "
        f"{A_SENSOR * len(SENSORS)} sensors in order in one arrival {1e3 * in_order:.0f} ms "
        f"(medians of {rounds}; {rewinds} rewinds)"
    )
    ratio = behind / in_order if rewinds == rounds + 1 else float("nan")
    of = "x the replayed instants in order with one commit"
    return [at_most("late reading", ratio, 1.5, of, how)]


def _minute(number: int) -> list[Reading]:
    draws = np.random.default_rng(number).normal(0.0, 0.3, (LATE_TICKS, A_SENSOR * len(SENSORS)))
    first = START_US + number * LATE_TICKS * STEP_US
    names = [Series(LINK, channel) for channel, _ in channels(0, A_SENSOR)]
    return [
        Reading(series, first + tick * STEP_US, float(draws[tick, place]))
        for tick in range(LATE_TICKS)
        for place, series in enumerate(names)
    ]
