"""What kind of answer an estimate is, and where it comes from."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TypeAlias, assert_never

from gemeos.units.instant import SECOND, Instant, Span, iso


@dataclass(frozen=True, slots=True)
class Filtered:
    """From readings up to each time itself."""


@dataclass(frozen=True, slots=True)
class Smoothed:
    """From readings up to ``lag`` after each time."""

    lag: Span


@dataclass(frozen=True, slots=True)
class Forecast:
    """From readings up to ``issued_at``, which is before the times."""

    issued_at: Instant
    corrected: tuple[str, ...] = ()
    """Sensors told as they will be *read*, corrected by how earlier forecasts turned out. All else
    is what the ensemble says."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """What would be, under the interventions of that name."""

    name: str
    """Empty where nothing is changed."""


Kind: TypeAlias = Filtered | Smoothed | Forecast | Scenario


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where an estimate comes from."""

    model: str
    """Identity of the model and the filter."""
    members: int
    """How many members were kept in step; the estimate may hold fewer or more."""
    data_until: Instant | None
    """``valid_at`` of the newest reading that was assimilated; None where there was none."""
    known_at: Instant
    """Site time at which it was asked, or the ``known_by`` of the question."""
    source: str
    """``live``, or as ``recorded 2014-03-14, x600``; shown wherever the estimate is."""
    origin: str = ""
    """Hash of the state that a forecast or scenario was forked from; estimates of one origin share
    random numbers, member by member. Empty where nothing was forked."""
    left_out: tuple[int, ...] = ()
    """Numbers of the members of a scenario that failed or were too slow to be waited for: the
    estimate holds the others."""


def kind_told(kind: Kind, *, here: dt.tzinfo) -> str:
    """The kind in words, times in the zone ``here``."""
    match kind:
        case Filtered():
            return "filtered"
        case Smoothed(lag):
            return f"smoothed with readings of {lag / SECOND:g} s after"
        case Forecast(issued_at, corrected):
            how = "corrected " if corrected else ""
            whole = issued_at // SECOND * SECOND
            return f"{how}forecast issued at {iso(whole, zone=here)}"
        case Scenario(name):
            return f"scenario {name}" if name else "scenario in which nothing is changed"
        case _:
            assert_never(kind)
