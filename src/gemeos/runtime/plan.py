"""What is kept of plans, of what became of them, and of kill switches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeVar

import msgspec

from gemeos.act.approve import Approval
from gemeos.act.undertaking import Undertaking
from gemeos.errors import TimelineError
from gemeos.schema.command import Command
from gemeos.schema.plan import Plan
from gemeos.timeline.base import Record
from gemeos.units.instant import Instant

PLAN: Final = "plan"
UNDERTAKING: Final = "undertaking"
"""Kept under ``Plan.id``: what was applied once is known for ever, also under another name."""
KILL: Final = "kill"
SWITCH: Final = "switch"

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class PlanRecord:
    """A plan, and who let it be applied."""

    plan: Plan
    approvals: tuple[Approval, ...] = ()
    event: int = 0
    """Number of the event that tells of it."""

    @property
    def approved_by(self) -> tuple[str, ...]:
        """Names."""
        return tuple(each.actor for each in self.approvals)


@dataclass(frozen=True, slots=True)
class Kill:
    """A kill switch that is engaged. There is one of the site and one of each twin."""

    twin: str
    """Empty for the whole site."""
    actor: str
    why: str
    at: Instant

    @property
    def told(self) -> str:
        """In a sentence."""
        of = self.twin or "the site"
        return f"The kill switch of {of} is engaged by {self.actor}{self.why and f': {self.why}'}."


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of asking for a plan to be applied."""

    plan: Plan
    dry_run: bool
    commands: tuple[Command, ...]
    """What is sent, or in a dry run would be, in the controls' declared units."""
    against: tuple[str, ...] = ()
    """In a dry run: everything that speaks against it; empty where it would be sent."""
    undertaking: Undertaking | None = None
    """How far it is; None in a dry run."""


def packed(kind: str, twin: str, name: str, what: object, at: Instant) -> Record:
    """For the store."""
    return Record(kind, twin, name, msgspec.msgpack.encode(what), at)


def unpacked(stored: Record, kind: type[_T]) -> _T:
    """From the store.

    Raises:
        TimelineError: another version of this program wrote it.
    """
    try:
        return msgspec.msgpack.decode(stored.body, type=kind)
    except msgspec.MsgspecError as error:
        raise TimelineError(
            f"The {stored.kind} {stored.name!r} of {stored.twin} cannot be read: {error}."
        ) from error
