"""Commands: one value for one control, what the device says to it, and its life cycle."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from typing import Final, TypeAlias

from gemeos.errors import InputError
from gemeos.schema.variable import text_of
from gemeos.units import known_unit
from gemeos.units.instant import Instant


@dataclass(frozen=True, slots=True)
class Command:
    """Set one control to one value."""

    id: str
    """Idempotency key, and the id by which the device's answer is known: the same step of the
    same plan has the same, however often it is asked for."""
    plan: str
    """``Plan.id``."""
    twin: str
    control: str
    value: float
    unit: str
    valid_from: Instant
    """Not sent earlier."""
    expires_at: Instant
    """Not sent, and not carried out, later."""
    actor: str
    """Who had it sent."""
    cause: str
    """What led to it, as an event's number or a sentence."""
    choices: tuple[str, ...] = ()
    """What the numbers of the control stand for, where it is a choice of texts."""

    def __post_init__(self) -> None:
        known_unit(self.unit)
        if not math.isfinite(self.value):
            raise InputError(f"{self.control} cannot be set to {self.value}.")
        if self.expires_at <= self.valid_from:
            raise InputError(f"The command {self.id} would expire before it is valid.")

    def told(self, number: float) -> str:
        """A value of the control in words: its text, or its number."""
        text = text_of(self.choices, number)
        return f"{number:g}" if text is None else str(text)


@dataclass(frozen=True, slots=True)
class Accepted:
    """The device took the command."""

    command: str
    """``Command.id``."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The device will not."""

    command: str
    reason: str


@dataclass(frozen=True, slots=True)
class Silent:
    """No answer in time: a failure. Nobody knows whether it was carried out until it is asked."""

    command: str
    waited_s: float
    heard: str = ""
    """What came instead that answered nothing."""


@dataclass(frozen=True, slots=True)
class Unsent:
    """There was no connection to send it over: it did not leave."""

    command: str
    reason: str


Acknowledgement: TypeAlias = Accepted | Refused | Silent | Unsent


@dataclass(frozen=True, slots=True)
class Reported:
    """What a device says that a control stands at."""

    value: float
    unit: str
    command: str | None = None
    """The command that it stands there for; None: something else set it."""


class CommandState(Enum):
    """How far a command is."""

    DECIDED = "decided"
    """Worked out, not sent."""
    DROPPED = "dropped"
    """Never sent, and it will not be."""
    INTENDED = "intended"
    """Written down that it is being sent: from here on it may be at the device."""
    ACCEPTED = "accepted"
    REFUSED = "refused"
    """By the device: nothing moved."""
    SILENT = "silent"
    """No answer in time; the device is asked what is so."""
    TAKEN = "taken"
    """The device reports the value."""
    NOT_TAKEN = "not taken"
    """The device reports another value, or none."""
    OVERRIDDEN = "overridden"
    """It was taken; then somebody else set another value."""
    UNDONE = "undone"
    """It was taken; then the value before it was restored."""

    @property
    def is_open(self) -> bool:
        """Whether it may be at the device and nobody knows yet."""
        return self in {CommandState.INTENDED, CommandState.ACCEPTED, CommandState.SILENT}

    @property
    def may_have_moved(self) -> bool:
        """Whether the control may stand where the command set it."""
        return self.is_open or self in {CommandState.TAKEN, CommandState.NOT_TAKEN}


_S = CommandState
ALLOWED: Final[dict[CommandState, frozenset[CommandState]]] = {
    _S.DECIDED: frozenset({_S.INTENDED, _S.DROPPED}),
    # Dropped after all where it could not leave; taken or not where a restart asked the device.
    _S.INTENDED: frozenset(
        {_S.ACCEPTED, _S.REFUSED, _S.SILENT, _S.DROPPED, _S.TAKEN, _S.NOT_TAKEN}
    ),
    _S.ACCEPTED: frozenset({_S.TAKEN, _S.NOT_TAKEN}),
    _S.SILENT: frozenset({_S.TAKEN, _S.NOT_TAKEN}),
    _S.TAKEN: frozenset({_S.OVERRIDDEN, _S.UNDONE}),
    _S.NOT_TAKEN: frozenset({_S.UNDONE}),
    _S.DROPPED: frozenset(),
    _S.REFUSED: frozenset(),
    _S.OVERRIDDEN: frozenset(),
    _S.UNDONE: frozenset(),
}
"""Where a command may go from each state."""
