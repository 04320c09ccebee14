"""One scored variable of one twin: what it is read by, and how its forecasts turned out."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float64, Int64

from gemeos.foresee.issue import Scoring
from gemeos.foresee.outcome import HISTORY, Outcomes, Turned
from gemeos.foresee.score import LeadScore, lead_score
from gemeos.runtime.channels import Channel
from gemeos.runtime.fleet import Fleet
from gemeos.schema.reading import LARGEST, Quality, Readings
from gemeos.schema.variable import Sensor
from gemeos.timeline.base import ForecastRows, Timeline
from gemeos.units.instant import Instant, Span

TOLD = 1024
"""Intervals between issues that scores look back on. Older ones are in the timeline."""
KEPT = TOLD + 2 * HISTORY
"""How far back outcomes are held: what is told first needs a history, too."""
EVER = 2**62


@dataclass(slots=True)
class Gauge:
    """One scored variable of one twin."""

    twin: str
    sensor: Sensor
    place: int
    """In ``schema.sensors``."""
    channels: tuple[Channel, ...]
    """Bound to it."""
    numbers: tuple[int, ...]
    """Their series."""
    outcomes: dict[Span, Outcomes]
    """By lead."""
    issued: Instant = -EVER
    """The newest instant that forecasts were issued at."""
    looked: Instant = -EVER
    """Up to here every truth that was read has been held against its forecasts."""
    told: dict[Span, LeadScore | None] = field(default_factory=dict)
    """What was worked out since ``outcomes`` changed."""


def gauges_of(fleet: Fleet, twin: str, scoring: Scoring, timeline: Timeline) -> tuple[Gauge, ...]:
    """The scored variables that something is bound to: without readings there is no truth."""
    found = []
    for name in scoring.variables:
        place = next(i for i, s in enumerate(fleet.schema.sensors) if s.name == name)
        channels = tuple(c for c in fleet.channels[fleet.place(twin)] if c.sensor == place)
        if channels:
            numbers = tuple(timeline.book.number(c.binding.series) for c in channels)
            none = {lead: Outcomes.none() for lead in scoring.leads}
            found.append(Gauge(twin, fleet.schema.sensors[place], place, channels, numbers, none))
    return tuple(found)


def noise_of(gauge: Gauge, at: Instant) -> float:
    """Standard deviation of one reading of the channel that is bound then."""
    since = [c for c in gauge.channels if c.since <= at] or gauge.channels
    return float(np.sqrt(since[0].variance))


def truths(
    gauge: Gauge, both: Readings
) -> tuple[Int64[np.ndarray, " time"], Float64[np.ndarray, " time"]]:
    """What was read by the gauge, one value an instant."""
    good = (both.quality == Quality.GOOD) & (np.abs(both.value) <= LARGEST)
    for channel, number in zip(gauge.channels, gauge.numbers, strict=True):
        good &= (both.series != number) | (both.valid_at >= channel.since)
    rows = both[good]
    # Of several channels at one instant, the one that is bound first.
    bound = {number: place for place, number in reversed(list(enumerate(gauge.numbers)))}
    place = np.array([bound[n] for n in rows.series.tolist()], np.int64)
    order = np.lexsort((rows.sample, place, rows.valid_at))
    times, first = np.unique(rows.valid_at[order], return_index=True)
    return times, rows.value[order][first]


def turned_out(
    rows: ForecastRows,
    scoring: Scoring,
    lead: Span,
    times: Int64[np.ndarray, " time"],
    values: Float64[np.ndarray, " time"],
    within: Span,
) -> Turned:
    """The forecasts at that lead whose truth was read, and what had been read at their issue.

    The truth of an instant is what was read then; else, once a later reading says that nothing
    more will come, what was read last before, at most ``within`` earlier.
    """
    mine = (rows.valid_at - rows.issued_at == lead) & (rows.issued_at % scoring.every == 0)
    mine &= np.isfinite(rows.members).sum(axis=1) >= 2
    valid_at, members, corrected = rows.valid_at[mine], rows.members[mine], rows.corrected[mine]
    truth = np.searchsorted(times, valid_at, side="right") - 1
    last = np.searchsorted(times, valid_at - lead, side="right") - 1
    came = (last >= 0) & (valid_at - times[truth] < within)
    came &= (times[truth] == valid_at) | (truth < len(times) - 1)
    return Turned(
        valid_at[came], members[came], corrected[came], values[truth[came]], values[last[came]]
    )


def told(gauge: Gauge, scoring: Scoring, lead: Span) -> LeadScore | None:
    """The summary of what is told of it at that lead; None where nothing turned out yet."""
    outcomes = gauge.outcomes[lead]
    newest = outcomes.valid_at.max(initial=-EVER)
    return lead_score(
        outcomes[outcomes.valid_at > newest - TOLD * scoring.every],
        variable=gauge.sensor.name,
        unit=gauge.sensor.unit,
        lead=lead,
        every=scoring.every,
    )
