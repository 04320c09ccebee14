"""How well a twin is in step, as a value that can be shown, sent and compared."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from gemeos.ensemble.state import Monitor, Verdict
from gemeos.foresee.score import LeadScore
from gemeos.runtime.channels import Channel
from gemeos.runtime.phase import Phase
from gemeos.units.instant import Instant, Span


@dataclass(frozen=True, slots=True)
class ChannelTrust:
    """One bound channel."""

    channel: str
    """``link/channel``."""
    variable: str
    readings: int
    last_at: Instant | None
    last_value: float | None
    """In the variable's unit."""
    usual_interval: Span | None
    equal_run: int
    """How many readings in a row had one value."""
    innovation: float | None
    """Running mean of (read - expected) / expected spread; 0 where the model is unbiased. None
    for what is not compared with anything: inputs and controls."""
    surprise: float | None
    """Running mean of its square; 1 where spread and error agree."""
    verdict: Verdict = Verdict.SOUND
    """What is held of it. Stuck, dead and biased channels correct nothing until they have behaved
    again; a spiking one counts less."""


@dataclass(frozen=True, slots=True)
class Trust:
    """One twin."""

    twin: str
    phase: Phase
    source: str
    """``live``, or the label of what is replayed."""
    now: Instant
    """Site time of the answer."""
    newest: Instant | None
    """``valid_at`` of the newest reading; its age is ``now - newest``."""
    members: int
    failed_members: int
    """How often a member failed in a step and was replaced."""
    assimilated: int
    too_late: int
    """Readings from before the horizon since the site started: stored, not assimilated."""
    model: str
    """Identity of the model and of the filter's settings."""
    channels: tuple[ChannelTrust, ...]
    recovered: int = 0
    """How often the ensemble had lost its original and was widened again."""
    scores: tuple[LeadScore, ...] = ()
    """Its forecasts as issued, by variable and lead; none where the twin declares no leads."""

    @property
    def age(self) -> Span | None:
        """How old the newest reading is."""
        return None if self.newest is None else self.now - self.newest


def channel_trust(
    channels: tuple[Channel, ...], monitors: Float64[np.ndarray, "channel monitor"]
) -> tuple[ChannelTrust, ...]:
    """What the monitors of a twin say, channel by channel."""
    told = []
    for channel, row in zip(channels, monitors, strict=False):
        compared = channel.sensor >= 0 and row[Monitor.COUNT] > 0
        told.append(
            ChannelTrust(
                channel=str(channel.binding.series),
                variable=channel.binding.variable,
                readings=int(row[Monitor.COUNT]),
                last_at=_whole(row[Monitor.LAST_AT]),
                last_value=_or_none(row[Monitor.LAST_VALUE]),
                usual_interval=_whole(row[Monitor.INTERVAL]),
                equal_run=int(row[Monitor.EQUAL_RUN]),
                innovation=float(row[Monitor.INNOVATION]) if compared else None,
                surprise=float(row[Monitor.SURPRISE]) if compared else None,
                verdict=Verdict(int(row[Monitor.VERDICT])),
            )
        )
    return tuple(told)


def _whole(number: float) -> int | None:
    return None if np.isnan(number) else int(number)


def _or_none(number: float) -> float | None:
    return None if np.isnan(number) else float(number)
