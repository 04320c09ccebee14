"""Answers of the runtime as they are sent."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, Final, assert_never

import numpy as np

from gemeos.ensemble.estimate import Estimate
from gemeos.ensemble.marginal import Marginal
from gemeos.ensemble.provenance import Filtered, Forecast, Kind, Scenario, Smoothed
from gemeos.ensemble.state import Verdict
from gemeos.foresee.score import Against, LeadScore
from gemeos.runtime.trust import ChannelTrust, Trust
from gemeos.serve import messages as m
from gemeos.units import iso
from gemeos.units import zone as zone_named
from gemeos.units.instant import SECOND, Instant


def estimate_message(
    estimate: Estimate,
    *,
    now: Instant | None = None,
    variables: Sequence[str] | None = None,
    members: bool = False,
    packed: bool = False,
) -> m.EstimateMessage:
    """An estimate as it is sent.

    Args:
        estimate: Times are told in its zone.
        now: Site time of the answer; the time at which it was known where left out.
        variables: Which; all where left out.
        members: Each member, too.
        packed: Members as MessagePack has them.

    Raises:
        UnknownNameError: no such variable.
    """
    of, here = estimate.provenance, zone_named(estimate.zone)
    names = estimate.variables if variables is None else tuple(dict.fromkeys(variables))
    return m.EstimateMessage(
        twin=estimate.twin,
        kind=_kind(estimate.kind, here),
        zone=estimate.zone,
        times=times_told(estimate.times, here),
        variables={n: numbers(estimate[n], members=members, packed=packed) for n in names},
        provenance=m.ProvenanceMessage(
            model=of.model,
            members=of.members,
            data_until=_maybe(of.data_until, here),
            known_at=iso(of.known_at, zone=here),
            source=of.source,
            origin=of.origin,
            left_out=of.left_out,
        ),
        staleness=staleness(of.known_at if now is None else now, of.data_until, here),
    )


def trust_message(
    trust: Trust, *, zone: str = "UTC", units: Mapping[str, str] | None = None
) -> m.TrustMessage:
    """Trust as it is sent, times in the zone of that name; ``units`` by variable, if known."""
    here = zone_named(zone)
    known = units or {}
    return m.TrustMessage(
        twin=trust.twin,
        phase=trust.phase.value,
        source=trust.source,
        staleness=staleness(trust.now, trust.newest, here),
        members=trust.members,
        failed_members=trust.failed_members,
        assimilated=trust.assimilated,
        too_late=trust.too_late,
        model=trust.model,
        recovered=trust.recovered,
        channels=[_channel(c, known.get(c.variable), here) for c in trust.channels],
        scores=[_score(s, here) for s in trust.scores],
    )


def _score(score: LeadScore, here: dt.tzinfo) -> m.ScoreMessage:
    climatology = score.climatology
    return m.ScoreMessage(
        variable=score.variable,
        unit=score.unit,
        lead_s=score.lead / SECOND,
        every_s=score.every / SECOND,
        count=score.count,
        since=iso(score.since, zone=here),
        until=iso(score.until, zone=here),
        crps=score.crps,
        error=score.error,
        coverage=score.coverage,
        persistence=_against(score.persistence),
        spread_known=score.spread_known,
        climatology=None if climatology is None else _against(climatology),
        before=m.UncorrectedMessage(
            crps=score.before.crps,
            coverage=score.before.coverage,
            persistence=_against(score.before.persistence),
        ),
        sizes=[
            m.OfSizeMessage(
                low=size.low,
                high=size.high,
                count=size.count,
                crps=size.crps,
                coverage=size.coverage,
            )
            for size in score.sizes
        ],
    )


def _against(other: Against) -> m.AgainstMessage:
    return m.AgainstMessage(
        count=other.count, crps=other.crps, skill=other.skill, low=other.low, high=other.high
    )


_VERDICTS: Final[Mapping[Verdict, m.VerdictWord]] = {
    Verdict.SOUND: "sound",
    Verdict.STUCK: "stuck",
    Verdict.DEAD: "dead",
    Verdict.BIASED: "biased",
    Verdict.SPIKING: "spiking",
}


def _channel(channel: ChannelTrust, unit: str | None, here: dt.tzinfo) -> m.ChannelTrustMessage:
    usual = channel.usual_interval
    return m.ChannelTrustMessage(
        channel=channel.channel,
        variable=channel.variable,
        unit=unit,
        readings=channel.readings,
        last_at=_maybe(channel.last_at, here),
        last_value=channel.last_value,
        usual_interval_s=None if usual is None else usual / SECOND,
        equal_run=channel.equal_run,
        innovation=channel.innovation,
        surprise=channel.surprise,
        verdict=_VERDICTS[channel.verdict],
    )


def _kind(kind: Kind, here: dt.tzinfo) -> m.KindMessage:
    match kind:
        case Filtered():
            return m.FilteredKind()
        case Smoothed(lag):
            return m.SmoothedKind(lag_s=lag / SECOND)
        case Forecast(issued_at, corrected):
            return m.ForecastKind(issued_at=iso(issued_at, zone=here), corrected=list(corrected))
        case Scenario(name):
            return m.ScenarioKind(name=name)
        case _:
            assert_never(kind)


def staleness(now: Instant, data_until: Instant | None, here: dt.tzinfo) -> m.Staleness:
    """How old the data of an answer is."""
    return m.Staleness(
        now=iso(now, zone=here),
        data_until=_maybe(data_until, here),
        age_s=None if data_until is None else (now - data_until) / SECOND,
    )


def _maybe(when: Instant | None, here: dt.tzinfo) -> str | None:
    return None if when is None else iso(when, zone=here)


def times_told(times: np.ndarray[Any, Any], here: dt.tzinfo) -> list[str]:
    """Instants as ISO 8601 in the zone ``here``."""
    return [iso(when, zone=here) for when in times.tolist()]


def numbers(marginal: Marginal, *, members: bool, packed: bool) -> m.Numbers:
    """One variable as it is sent."""
    return m.Numbers(
        unit=marginal.unit,
        mean=series(marginal.mean),
        sd=series(marginal.sd),
        q05=series(marginal.quantile(0.05)),
        q25=series(marginal.quantile(0.25)),
        q50=series(marginal.quantile(0.5)),
        q75=series(marginal.quantile(0.75)),
        q95=series(marginal.quantile(0.95)),
        members=_members(marginal, packed) if members else None,
    )


def _members(marginal: Marginal, packed: bool) -> list[list[float]] | m.PackedMembers:  # noqa: FBT001
    return _packed(marginal.members) if packed else marginal.members.tolist()


def _packed(members: np.ndarray[Any, Any]) -> m.PackedMembers:
    little = members.astype(members.dtype.newbyteorder("<"), copy=False)
    return m.PackedMembers(
        dtype=little.dtype.str.replace("=", "<"),
        shape=list(little.shape),
        data=np.ascontiguousarray(little).tobytes(),
    )


def series(values: np.ndarray[Any, Any]) -> list[float | None]:
    """Numbers, with None where there is none."""
    return [plain(value) for value in values.tolist()]


def plain(value: float) -> float | None:
    """The number; None where it is not finite."""
    return float(value) if np.isfinite(value) else None
