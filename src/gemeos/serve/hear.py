"""What a site sent, as the values that an embedded twin answers with."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable
from typing import Any, assert_never

import numpy as np

from gemeos.ensemble.estimate import Estimate
from gemeos.ensemble.provenance import (
    Filtered,
    Forecast,
    Kind,
    Provenance,
    Scenario,
    Smoothed,
)
from gemeos.ensemble.state import Verdict
from gemeos.errors import LinkError
from gemeos.foresee.score import Against, LeadScore, OfSize, Uncorrected
from gemeos.runtime.alert import AlertStanding
from gemeos.runtime.asked import When
from gemeos.runtime.phase import Phase
from gemeos.runtime.remembered import Remembered
from gemeos.runtime.trust import ChannelTrust, Trust
from gemeos.serve import messages as m
from gemeos.units import instant, iso
from gemeos.units.instant import SECOND, Instant, Span


def estimate(told: m.EstimateMessage) -> Estimate:
    """The estimate with its members.

    Raises:
        LinkError: it was sent without them.
    """
    of = told.provenance
    return Estimate(
        twin=told.twin,
        kind=_kind(told.kind),
        times=_times(told.times),
        variables=tuple(told.variables),
        units=tuple(v.unit for v in told.variables.values()),
        values=np.stack([_members(v) for v in told.variables.values()], axis=1),
        provenance=Provenance(
            model=of.model,
            members=of.members,
            data_until=_maybe(of.data_until),
            known_at=instant(of.known_at),
            source=of.source,
            origin=of.origin,
            left_out=of.left_out,
        ),
        zone=told.zone,
    )


def _kind(told: m.KindMessage) -> Kind:
    match told:
        case m.FilteredKind():
            return Filtered()
        case m.SmoothedKind(lag_s=lag_s):
            return Smoothed(span_of(lag_s))
        case m.ForecastKind(issued_at=issued_at, corrected=corrected):
            return Forecast(instant(issued_at), tuple(corrected))
        case m.ScenarioKind(name=name):
            return Scenario(name)
        case _:
            assert_never(told)


def _members(told: m.Numbers) -> np.ndarray[Any, Any]:
    match told.members:
        case m.PackedMembers(dtype=dtype, shape=shape, data=data) if dtype in {"<f4", "<f8"}:
            try:
                little = np.frombuffer(data, np.dtype(dtype)).reshape(shape)
            except ValueError as error:
                raise LinkError(f"The site sent members of another size: {error}.") from error
            return little.astype(little.dtype.newbyteorder("="), copy=False)
        case list() as rows:
            return np.array(rows, np.float64)
        case _:
            raise LinkError("The site sent no members that can be read.")


def warnings(told: m.WarningsMessage) -> list[AlertStanding]:
    """How the alerts of a twin stand."""
    return [
        AlertStanding(
            twin=told.twin,
            name=each.name,
            condition=each.condition,
            within=span_of(each.within_s),
            likely=each.likely,
            is_on=each.is_on,
            is_so=each.is_so,
            chance=each.chance,
            issued_at=_maybe(each.issued_at),
            issues=each.issues,
            hits=each.hits,
            misses=each.misses,
            false_alarms=each.false_alarms,
            median_lead=None if each.median_lead_s is None else span_of(each.median_lead_s),
            brier_skill=each.brier_skill,
        )
        for each in told.warnings
    ]


def rows(told: m.RangeMessage, names: Iterable[str]) -> Remembered:
    """Remembered rows of the variables ``names``, in their order."""
    variables = tuple(names)
    size = (len(told.times), len(variables))
    mean, sd, quantiles = np.empty(size), np.empty(size), np.empty((*size, 5))
    for place, name in enumerate(variables):
        of = told.variables[name]
        mean[:, place] = _numbers(of.mean)
        sd[:, place] = _numbers(of.sd)
        for level, series in enumerate((of.q05, of.q25, of.q50, of.q75, of.q95)):
            quantiles[:, place, level] = _numbers(series)
    return Remembered(
        variable=variables,
        valid_at=_times(told.times),
        mean=mean,
        sd=sd,
        quantiles=quantiles,
        twin=told.twin,
        units=tuple(told.variables[name].unit for name in variables),
        source=told.source,
        zone=told.zone,
        now=instant(told.staleness.now),
        newest=_maybe(told.staleness.data_until),
    )


def trust(told: m.TrustMessage) -> Trust:
    """How well a twin is in step."""
    return Trust(
        twin=told.twin,
        phase=Phase(told.phase),
        source=told.source,
        now=instant(told.staleness.now),
        newest=_maybe(told.staleness.data_until),
        members=told.members,
        failed_members=told.failed_members,
        assimilated=told.assimilated,
        too_late=told.too_late,
        model=told.model,
        recovered=told.recovered,
        channels=tuple(_channel(c) for c in told.channels),
        scores=tuple(_score(s) for s in told.scores),
    )


def _score(told: m.ScoreMessage) -> LeadScore:
    climatology = told.climatology
    return LeadScore(
        variable=told.variable,
        unit=told.unit,
        lead=span_of(told.lead_s),
        every=span_of(told.every_s),
        count=told.count,
        since=instant(told.since),
        until=instant(told.until),
        crps=told.crps,
        error=told.error,
        coverage=told.coverage,
        persistence=_against(told.persistence),
        spread_known=told.spread_known,
        climatology=None if climatology is None else _against(climatology),
        before=Uncorrected(
            told.before.crps, told.before.coverage, _against(told.before.persistence)
        ),
        sizes=tuple(OfSize(s.low, s.high, s.count, s.crps, s.coverage) for s in told.sizes),
    )


def _against(told: m.AgainstMessage) -> Against:
    return Against(told.count, told.crps, told.skill, told.low, told.high)


def _channel(told: m.ChannelTrustMessage) -> ChannelTrust:
    usual = told.usual_interval_s
    return ChannelTrust(
        channel=told.channel,
        variable=told.variable,
        readings=told.readings,
        last_at=_maybe(told.last_at),
        last_value=told.last_value,
        usual_interval=None if usual is None else span_of(usual),
        equal_run=told.equal_run,
        innovation=told.innovation,
        surprise=told.surprise,
        verdict=Verdict[told.verdict.upper()],
    )


def _numbers(series: Iterable[float | None]) -> list[float]:
    return [math.nan if value is None else value for value in series]


def _times(told: Iterable[str]) -> np.ndarray[Any, Any]:
    return np.array([instant(time) for time in told], np.int64)


def _maybe(told: str | None) -> Instant | None:
    return None if told is None else instant(told)


def span_of(seconds: float) -> int:
    """Seconds as they are sent, in microseconds."""
    return round(seconds * SECOND)


def when(asked: When) -> str:
    """As it is sent; text and a datetime without offset are read in the site's zone, there."""
    if isinstance(asked, dt.datetime):
        return asked.isoformat()
    return iso(asked) if isinstance(asked, int) else asked


def length(asked: str | Span) -> str:
    """A span of time as it is sent."""
    return asked if isinstance(asked, str) else f"{asked} us"


def maybe_length(asked: str | Span | None) -> str | None:
    """``length``; None for None."""
    return None if asked is None else length(asked)


def maybe_when(asked: When | None) -> str | None:
    """``when``; None for None."""
    return None if asked is None else when(asked)
