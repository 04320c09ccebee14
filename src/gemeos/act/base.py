"""What acting rests on: the rules of a control, the conduct of a twin's plans, the situation."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from gemeos.ensemble.clause import Chance
from gemeos.ensemble.estimate import Estimate
from gemeos.errors import SettingsError
from gemeos.schema.phase import Phase
from gemeos.schema.role import Role
from gemeos.schema.variable import Control
from gemeos.units.instant import SECOND, Instant, Span

DEFAULT_TOLERANCE: Final = 0.01
"""Of a control's declared range."""


@dataclass(frozen=True, slots=True)
class Rate:
    """How far a control may be moved within a time, all of its moves together."""

    most: float
    """In the control's unit."""
    within: Span

    def __post_init__(self) -> None:
        if not (math.isfinite(self.most) and self.most > 0 and self.within > 0):
            raise SettingsError("A rate is a length above zero in a time above zero.")


@dataclass(frozen=True, slots=True)
class Rules:
    """What limits the commands of one control. Numbers are in its declared unit."""

    control: Control
    tolerance: float
    """By how much the device may report another value than it was set to."""
    least: float = -math.inf
    """Beside the declared bounds."""
    most: float = math.inf
    rate: Rate | None = None
    interlocks: tuple[Chance, ...] = ()
    """Each must hold in the present estimate."""
    pace: Span = 60 * SECOND
    """Between two commands of a ramp or a profile."""

    @property
    def limits(self) -> tuple[float, float]:
        """Least and most value, declared and ruled."""
        least, most = self.control.bounds
        return (
            max(self.least, -math.inf if least is None else least),
            min(self.most, math.inf if most is None else most),
        )


@dataclass(frozen=True, slots=True)
class Conduct:
    """How the plans of one twin are carried out."""

    approvers: tuple[str, ...] = ()
    """Names of those who may approve; empty: whoever has ``role``."""
    role: Role = Role.APPROVER
    """The least that an approver has to be."""
    four_eyes: bool = False
    """Two different people approve, neither of whom made the plan."""
    oldest_state: Span = 600 * SECOND
    """Older than this, neither the plan's state nor the newest reading is acted on."""
    watch: Span = 1800 * SECOND
    """How long reality is compared with the forecast after the last command."""
    settle: Span = 10 * SECOND
    """How long a device may take until it reports what it was set to, in site time."""
    answer_within: Span = 5 * SECOND
    """How long its answer is waited for, in the machine's time."""
    lasting: Span = 60 * SECOND
    """How long a command that is due may still be sent."""

    def __post_init__(self) -> None:
        times = (self.oldest_state, self.watch, self.settle, self.answer_within, self.lasting)
        if min(times) <= 0:
            raise SettingsError("Every time of how plans are carried out is above zero.")
        if not self.role.includes(Role.APPROVER):
            raise SettingsError(
                f"Whoever is {self.role.value} cannot approve: name 'approver' or 'admin'."
            )


@dataclass(frozen=True, slots=True)
class Move:
    """A control was moved."""

    at: Instant
    by: float
    """How far, without sign, in its unit."""


@dataclass(frozen=True, slots=True)
class Situation:
    """What is so at the moment of judging. What is not known speaks against acting."""

    now: Instant
    phase: Phase
    state_at: Instant | None = None
    """The newest reading that the present estimate rests on."""
    estimate: Estimate | None = None
    """What is held to be so now."""
    killed: tuple[str, ...] = ()
    """Kill switches that are engaged, a sentence each."""
    busy: Mapping[str, str] = field(default_factory=dict)
    """By control: the plan that is being carried out on it."""
    standing: Mapping[str, float] = field(default_factory=dict)
    """By control: where its device says that it stands."""
    moves: Mapping[str, tuple[Move, ...]] = field(default_factory=dict)
    """By control: what was sent to it, the oldest first."""
    applied: str | None = None
    """What became of this very plan, where it was applied before."""
