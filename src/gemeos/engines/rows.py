"""Many members in one call, inside the engine's process: each put in its place, run, and read."""

from __future__ import annotations

import signal
from collections.abc import Callable

import numpy as np

from gemeos.engines import frames
from gemeos.engines.inside import Inside, PlaceInside
from gemeos.units.instant import SECOND


def moved(inside: Inside, asked: frames.Move, told: Callable[[Exception], str]) -> frames.Moved:
    """The answer to ``asked``, row by row.

    A row during which the engine's code raises is NaN. One that crashes or hangs ends the process,
    and whoever asked has to find out which it was.
    """
    if not isinstance(inside, PlaceInside):
        raise TypeError(f"{type(inside).__name__} hides nothing, it says, and has no place")
    first, second = len(asked.params), len(asked.params) + len(asked.held)
    width = second + len(asked.states)
    rows = np.frombuffer(asked.rows, np.float64).reshape(asked.count, width)
    answers = np.full((len(rows), len(asked.asked)), np.nan)
    why = ""
    try:
        for row, answer in zip(rows.tolist(), answers, strict=True):
            # Its usual action is to end the process: nothing that hangs has to listen.
            signal.setitimer(signal.ITIMER_REAL, asked.limit / SECOND)
            try:
                inside.place(
                    dict(zip(asked.params, row[:first], strict=True)),
                    dict(zip(asked.held, row[first:second], strict=True)),
                    dict(zip(asked.states, row[second:], strict=True)),
                )
                inside.advance(asked.elapsed)
                answer[:] = inside.get(asked.asked)
            except Exception as error:  # noqa: BLE001 - the boundary to foreign code
                answer[:] = np.nan
                why = why or told(error)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
    return frames.Moved(answers.tobytes(), why)
