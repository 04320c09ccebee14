"""A plan while it is carried out: its commands, what became of each, how far it is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from gemeos.act.base import Move
from gemeos.act.verify import Watch
from gemeos.schema.command import Command, CommandState
from gemeos.units.instant import Instant, Span


class Stage(Enum):
    """How far an undertaking is."""

    UNDER_WAY = "under way"
    """Commands are sent as they fall due, and what comes of them is watched."""
    KEPT = "kept"
    """The watch window is over, and reality kept to the forecast."""
    UNDOING = "being undone"
    UNDONE = "undone"
    OVERRIDDEN = "overridden"
    """Somebody else moved a control. It is not fought."""
    STOPPED = "stopped"
    """By a kill switch; controls stand where they were, nothing is restored."""
    FAILED = "failed"
    """It could not be restored: somebody has to look."""

    @property
    def is_over(self) -> bool:
        """Whether nothing more follows."""
        return self not in {Stage.UNDER_WAY, Stage.UNDOING}


@dataclass(frozen=True, slots=True)
class Issued:
    """A command and what became of it."""

    command: Command
    before: float
    """Where the control stood before the plan; what undoing restores."""
    tolerance: float
    state: CommandState = CommandState.DECIDED
    is_undo: bool = False
    since: Instant = 0
    """When it came into its state."""
    why: str = ""
    stands: float | None = None
    """What the device said last; None where it did not."""
    event: int = 0
    """Number of the newest event about it."""


@dataclass(frozen=True, slots=True)
class Undertaking:
    """One plan being carried out."""

    plan: str
    """``Plan.id``."""
    name: str
    twin: str
    actor: str
    begun_at: Instant
    watch_until: Instant
    settle: Span
    lasting: Span
    issued: tuple[Issued, ...]
    watches: tuple[Watch, ...] = ()
    stage: Stage = Stage.UNDER_WAY
    reason: str = ""
    """Why it is no longer under way."""
    event: int = 0
    """Number of the newest event about the whole."""

    @property
    def controls(self) -> tuple[str, ...]:
        """What it moves, in the order in which it does."""
        return tuple(dict.fromkeys(i.command.control for i in self.issued))

    def latest(self, control: str, *, undo: bool = False) -> Issued | None:
        """The newest command for a control that left, of the plan or of its undoing."""
        left = [
            i
            for i in self.issued
            if i.command.control == control
            and i.is_undo is undo
            and i.state not in {CommandState.DECIDED, CommandState.DROPPED, CommandState.REFUSED}
        ]
        return left[-1] if left else None


def due(undertaking: Undertaking, now: Instant) -> Issued | None:
    """The next command to be sent; None where none is due.

    One at a time, and none while it is not known what became of another of that control.
    """
    for each in undertaking.issued:
        if each.state is CommandState.DECIDED and each.command.valid_from <= now:
            mine = [i for i in undertaking.issued if i.command.control == each.command.control]
            if not any(i.state.is_open for i in mine):
                return each
    return None


def doubtful(undertaking: Undertaking) -> tuple[str, ...]:
    """The controls whose devices are to be asked: what was sent there, or is to be restored."""
    return tuple(c for c in undertaking.controls if undertaking.latest(c) is not None)


def noted(undertaking: Undertaking, command: str, event: int) -> Undertaking:
    """With the number of the event that tells of a command, or (empty) of the whole."""
    if not command:
        return replace(undertaking, event=event)
    return replace(
        undertaking,
        issued=tuple(
            replace(each, event=event) if each.command.id == command else each
            for each in undertaking.issued
        ),
    )


def begun(  # noqa: PLR0913 -- each is one fact of the beginning, by keyword
    *,
    plan: str,
    name: str,
    twin: str,
    actor: str,
    commands: Sequence[Command],
    before: dict[str, float],
    tolerance: dict[str, float],
    watches: Sequence[Watch],
    now: Instant,
    watch: Span,
    settle: Span,
    lasting: Span,
) -> Undertaking:
    """An undertaking of which nothing has been sent yet."""
    last = max(command.valid_from for command in commands)
    return Undertaking(
        plan=plan,
        name=name,
        twin=twin,
        actor=actor,
        begun_at=now,
        watch_until=max(last, now) + watch,
        settle=settle,
        lasting=lasting,
        issued=tuple(
            Issued(c, before[c.control], tolerance[c.control], since=now) for c in commands
        ),
        watches=tuple(watches),
    )


def moves_of(undertakings: Iterable[Undertaking]) -> dict[str, tuple[Move, ...]]:
    """By control: what was sent to it, by whichever plan, the oldest first."""
    made: dict[str, list[Move]] = {}
    for undertaking in undertakings:
        stood: dict[str, float] = {}
        for each in undertaking.issued:
            if each.state in {CommandState.DECIDED, CommandState.DROPPED, CommandState.REFUSED}:
                continue
            control, value = each.command.control, each.command.value
            by = abs(value - stood.get(control, each.before))
            made.setdefault(control, []).append(Move(each.command.valid_from, by))
            stood[control] = value
    return {c: tuple(sorted(several, key=lambda move: move.at)) for c, several in made.items()}
