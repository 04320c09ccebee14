"""Readings of one twin as its cycles take them, without a live twin that takes them."""

from __future__ import annotations

import numpy as np

from gemeos.assimilate.observe import Observed
from gemeos.ensemble.state import NEVER
from gemeos.runtime.channels import Bound, Routes
from gemeos.runtime.fleet import Fleet
from gemeos.runtime.window import Windows, rows_of
from gemeos.schema.reading import LARGEST, Quality, Readings, SeriesBook


def heard(fleet: Fleet, twin: str, readings: Readings, book: SeriesBook) -> list[Observed]:
    """What was read of a twin, instant by instant of its grid; nothing of the fleet is changed."""
    channels = (fleet.channels[fleet.place(twin)],)
    fed = Routes(channels).fed(readings.series, book)
    valid_at = readings.valid_at[fed.reading]
    fresh = (readings.quality != Quality.RETAINED)[fed.reading] & (valid_at >= fed.since)
    taken = fed.reading[fresh]
    windows = Windows(1, fleet.schema.step)
    windows.insert(
        fed.twin[fresh],
        rows_of(
            fed.channel[fresh],
            readings.sample[taken],
            valid_at[fresh],
            readings.valid_from[taken],
            readings.revision[taken],
            (readings.quality[taken] == Quality.GOOD) & (np.abs(readings.value[taken]) <= LARGEST),
            readings.value[taken],
        ),
    )
    bound, alone = Bound(fleet.schema, channels), np.array([0])
    return [
        bound.gathered(alone, [tick], *windows.at([0], [tick])) for tick in windows.ticks(0, NEVER)
    ]
