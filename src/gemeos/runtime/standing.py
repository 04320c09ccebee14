"""In which phase a twin is, by its state and the time: now, or as it was known at a past moment."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool

from gemeos.ensemble.state import Drift, Monitor, TwinState
from gemeos.runtime.phase import Phase, Standing, phase_of
from gemeos.runtime.twin import Twin
from gemeos.units.instant import Instant, Span


class Heard(NamedTuple):
    """What a phase rests on, of one twin's state."""

    assimilated: int
    newest: Instant | None
    """``valid_at`` of its newest reading."""
    accepted: Instant | None
    """The same of channels that are trusted and correct it."""
    usual: Span | None
    """Interval of the busiest channel that corrects it."""
    rejected: bool
    """The test of its innovations, or that of its corrected forecasts."""


def heard_of(state: TwinState, corrects: Bool[np.ndarray, "twin channel"]) -> list[Heard]:
    """Of each twin in it.

    Args:
        state: Of some twins.
        corrects: Of the same ones, see ``channels.Bound``.
    """
    monitors = state.monitors
    sees = np.where(corrects[:, :, None], monitors, np.nan)
    last = np.fmax.reduce(monitors[:, :, Monitor.LAST_AT], axis=1, initial=np.nan)
    accepted = np.fmax.reduce(sees[:, :, Monitor.ACCEPTED_AT], axis=1, initial=np.nan)
    usual = np.fmin.reduce(sees[:, :, Monitor.INTERVAL], axis=1, initial=np.nan)
    return [
        Heard(
            int(state.assimilated[i]),
            _whole(last[i]),
            _whole(accepted[i]),
            _whole(usual[i]),
            bool(state.drift[i, Drift.REJECTED] or state.forecast_drift[i, Drift.REJECTED]),
        )
        for i in range(len(state))
    ]


def _whole(number: float) -> int | None:
    return None if np.isnan(number) else int(number)


def phase_by(
    twin: Twin,
    heard: Heard,
    now: Instant,
    *,
    running: bool,
    finished: bool,
    waiting: Instant | None = None,
) -> Phase:
    """The phase of a twin that heard so much by ``now``.

    Args:
        twin: As declared.
        heard: What its state says.
        now: Site time.
        running: It moves on; False where too many members failed.
        finished: Every source that it is bound to ended.
        waiting: ``valid_at`` of the newest reading that corrects it, where some wait; None: all
            are taken in.
    """
    return phase_of(
        Standing(
            bound=bool(twin.bindings),
            running=running,
            finished=finished,
            assimilated=heard.assimilated,
            newest=heard.newest,
            now=now,
            usual_interval=heard.usual,
            lateness=twin.lateness,
            accepted=heard.accepted,
            rejected=heard.rejected,
            waiting=waiting,
        )
    )
