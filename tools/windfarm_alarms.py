"""List what the wind farm twin says of its sensors: ``python tools/windfarm_alarms.py FOLDER``.

Walks through 2014 once and prints each alarm as a row of the table in
``docs/validation/windfarm-alarms.md``, where what the record shows was judged by eye. No other year
is read. Takes some minutes.
"""

from __future__ import annotations

import datetime as dt
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np

from gemeos.ensemble.state import Monitor, Verdict
from gemeos.twins.windfarm import WindFarm, bound, farm
from gemeos.twins.windfarm.record import Deprived, Record, observed, read_record
from gemeos.twins.windfarm.walk import Walker, crew_of


def verdicts(record: Record, model: WindFarm) -> tuple[np.ndarray, list[str]]:
    """What is held of each channel after each row, ``[row, channel]``, and their names."""
    turbines = model.farm.turbines
    walker, state = Walker.of(bound("windfarm", model), model.farm)
    hearing = walker.hearing
    crew, heard = crew_of(model.schema, 1, walker.seed), Deprived.of_nothing(1, len(turbines))
    held = np.zeros((len(record), len(hearing.channel)), np.int8)
    for row in range(len(record)):
        read = observed(model.schema, hearing, record, row, heard)
        state = walker.cycle(state, crew, read)
        held[row] = state.monitors[0, hearing.channel, Monitor.VERDICT]
    names = zip(hearing.turbine, hearing.tag, strict=True)
    return held, [f"{turbines[turbine].name} {tag}" for turbine, tag in names]


def main(folder: Path) -> None:
    """Walk and print."""
    described = farm("la_haute_borne")
    record = read_record(folder, described, dt.date(2014, 1, 1), dt.date(2015, 1, 1))
    held, names = verdicts(record, WindFarm(described))
    alarms = []
    for channel, name in enumerate(names):
        told = np.concatenate([[Verdict.SOUND], held[:, channel]])
        changes = np.append(np.flatnonzero(np.diff(told)), len(record))
        for row, until in pairwise(changes):
            if held[row, channel] != Verdict.SOUND:
                alarms.append((int(row), name, Verdict(held[row, channel]), int(until - row)))
    for row, name, verdict, rows in sorted(alarms):
        seconds = (record.first_tick + row) * described.interval_s
        at = dt.datetime.fromtimestamp(seconds, dt.UTC)
        hours = rows * described.interval_s / 3600.0
        print(f"| {at:%m-%d %H:%M} | {name} | {verdict.name.lower()}, {hours:.1f} h |")  # noqa: T201
    print(len(alarms), "alarms")  # noqa: T201


if __name__ == "__main__":
    main(Path(sys.argv[1]))
