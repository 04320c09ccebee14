"""A plan while it is carried out: what happens goes in, what follows from it comes out.

Nothing here waits, sends or stores. ``after`` tells how an undertaking stands once something has
happened, and what is to be written down of it; ``due`` tells what is to be sent, ``doubtful`` which
controls are to be asked. Who wrote down the state before each of these can begin again from it
after any crash.

What goes wrong ends a plan, and what ends it decides what is sent after that:

============================  =================================================================
a device refuses, is silent,  values from before are restored where something moved
does not take it, a step is
refused or missed
reality leaves the band,      values from before are restored
the twin goes blind
somebody else set a control   nothing: it is theirs now
a kill switch                 nothing, not even what would restore
============================  =================================================================
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, TypeAlias, assert_never

from gemeos.act.setpoints import key
from gemeos.act.undertaking import Issued, Stage, Undertaking
from gemeos.act.verify import took
from gemeos.schema.command import (
    ALLOWED,
    Accepted,
    Acknowledgement,
    Command,
    CommandState,
    Refused,
    Silent,
    Unsent,
)
from gemeos.units.instant import Instant


@dataclass(frozen=True, slots=True)
class Intended:
    """It is written down that a command is being sent."""

    command: str


@dataclass(frozen=True, slots=True)
class Answered:
    """What came of sending."""

    acknowledgement: Acknowledgement


@dataclass(frozen=True, slots=True)
class Stands:
    """A device was asked where a control stands."""

    control: str
    value: float | None
    """In the declared unit; None where it did not say."""


@dataclass(frozen=True, slots=True)
class Restarted:
    """The site was ended meanwhile. Of what was being sent nobody knows whether it arrived."""


@dataclass(frozen=True, slots=True)
class Missed:
    """A step is not sent: the guard refuses it, or its time is over."""

    command: str
    why: str


@dataclass(frozen=True, slots=True)
class Astray:
    """Reality is not where the plan said, or nobody can see whether it is, or somebody asks."""

    why: str


@dataclass(frozen=True, slots=True)
class Killed:
    """A kill switch is engaged."""

    why: str


@dataclass(frozen=True, slots=True)
class Passed:
    """Time has passed."""


Happening: TypeAlias = Intended | Answered | Stands | Restarted | Missed | Astray | Killed | Passed


@dataclass(frozen=True, slots=True)
class Note:
    """What is to be written down."""

    kind: str
    """Of the event."""
    told: str
    control: str = ""
    command: str = ""
    """Empty where it concerns the whole."""


Outcome: TypeAlias = tuple[Undertaking, tuple[Note, ...]]


def after(undertaking: Undertaking, happening: Happening, now: Instant) -> Outcome:
    """How it stands after that, and what is to be written down. What is over stays over."""
    if undertaking.stage.is_over:
        return undertaking, ()
    told = _Telling(undertaking, now)
    match happening:
        case Intended(command):
            told.move(command, CommandState.INTENDED, "command")
        case Answered(acknowledgement):
            _answered(told, acknowledgement)
        case Stands(control, value):
            _stands(told, control, value)
        case Restarted():
            _restarted(told)
        case Missed(command, why):
            told.move(command, CommandState.DROPPED, "command_dropped", why)
            told.undo(why)
        case Astray(why):
            told.undo(why)
        case Killed(why):
            told.drop(lambda _: True, why)
            told.end(Stage.STOPPED, f"{why} Controls stay where they are; nothing is restored.")
        case Passed():
            pass
        case _:
            assert_never(happening)
    told.settle()
    return told.undertaking, tuple(told.notes)


def _restarted(told: _Telling) -> None:
    for each in told.undertaking.issued:
        if each.state is CommandState.INTENDED:
            why = "The site ended before an answer came; the device is asked."
            told.move(each.command.id, CommandState.SILENT, "command_in_doubt", why)


def _answered(told: _Telling, acknowledgement: Acknowledgement) -> None:
    match acknowledgement:
        case Accepted(command):
            told.move(command, CommandState.ACCEPTED, "acknowledged")
        case Refused(command, reason):
            why = f"The device refuses: {reason}."
            told.move(command, CommandState.REFUSED, "device_refused", why)
            told.undo(why)
        case Silent(command, waited_s, heard):
            heard_told = f" What came instead: {heard}." if heard else ""
            why = f"The device did not answer within {waited_s:g} s.{heard_told}"
            told.move(command, CommandState.SILENT, "device_silent", why)
            told.undo(why)
        case Unsent(command, reason):
            why = f"It did not leave: {reason}."
            told.move(command, CommandState.DROPPED, "command_dropped", why)
            told.undo(why)
        case _:
            assert_never(acknowledgement)


def _stands(told: _Telling, control: str, value: float | None) -> None:
    """Hold what the device says against what it was set to."""
    undertaking = told.undertaking
    issued = undertaking.latest(control, undo=True) or undertaking.latest(control)
    if issued is None:
        return
    told.heard(issued.command.id, value)
    words = issued.command.told
    says = "nothing when asked" if value is None else words(value)
    is_there = took(issued.command.value, value, issued.tolerance)
    if issued.state.is_open:
        if is_there:
            told.move(issued.command.id, CommandState.TAKEN, "taken", f"It reports {says}.")
            return
        is_late = told.now - issued.since >= undertaking.settle
        was_silent = issued.state is CommandState.SILENT
        if is_late or (was_silent and took(issued.before, value, issued.tolerance)):
            why = f"{control} was to be {words(issued.command.value)}; its device reports {says}."
            told.move(issued.command.id, CommandState.NOT_TAKEN, "not_taken", why)
            told.undo(why)
    elif issued.state is CommandState.TAKEN and not is_there and value is not None:
        # Said by the device itself: a person at it, its fixed programme, another system.
        why = f"{control} was set to {says} by somebody else; it had been taken as "
        why += f"{words(issued.command.value)}."
        told.move(issued.command.id, CommandState.OVERRIDDEN, "override", why)
        told.drop(lambda i: i.command.control == control or not i.is_undo, why)
        if undertaking.stage is Stage.UNDER_WAY:
            told.end(Stage.OVERRIDDEN, why)


class _Telling:
    """One happening being worked in."""

    def __init__(self, undertaking: Undertaking, now: Instant) -> None:
        self.undertaking = undertaking
        self.now = now
        self.notes: list[Note] = []

    def move(self, command: str, to: CommandState, kind: str, why: str = "") -> None:
        """Bring a command into another state, if it may go there."""
        several = list(self.undertaking.issued)
        for place, each in enumerate(several):
            if each.command.id == command and to in ALLOWED[each.state]:
                several[place] = replace(each, state=to, since=self.now, why=why)
                told = why or f"{each.command.control} = {each.command.told(each.command.value)}"
                self.notes.append(Note(kind, told, each.command.control, command))
        self.undertaking = replace(self.undertaking, issued=tuple(several))

    def heard(self, command: str, value: float | None) -> None:
        """Keep what the device said of the control."""
        self.undertaking = replace(
            self.undertaking,
            issued=tuple(
                replace(each, stands=value) if each.command.id == command else each
                for each in self.undertaking.issued
            ),
        )

    def drop(self, which: Callable[[Issued], bool], why: str) -> None:
        for each in self.undertaking.issued:
            if each.state is CommandState.DECIDED and which(each):
                self.move(each.command.id, CommandState.DROPPED, "command_dropped", why)

    def end(self, stage: Stage, why: str) -> None:
        self.undertaking = replace(self.undertaking, stage=stage, reason=why)
        self.notes.append(Note(_ENDS[stage], why))

    def undo(self, why: str) -> None:
        """From here on values from before are restored, where something may have moved."""
        if self.undertaking.stage is Stage.UNDER_WAY:
            self.drop(lambda each: not each.is_undo, why)
            self.undertaking = replace(self.undertaking, stage=Stage.UNDOING, reason=why)
            self.notes.append(Note("undo", why))

    def settle(self) -> None:
        """What follows by itself: more to restore, or the end."""
        match self.undertaking.stage:
            case Stage.UNDER_WAY:
                still = any(
                    i.state is CommandState.DECIDED or i.state.is_open
                    for i in self.undertaking.issued
                )
                if not still and self.now >= self.undertaking.watch_until:
                    told = [w.told for w in self.undertaking.watches if w.compared]
                    self.end(Stage.KEPT, " ".join(["The watch window is over.", *told]))
            case Stage.UNDOING:
                self._restore()
                self._end_undoing()
            case _:
                pass

    def _restore(self) -> None:
        """Add the commands that restore what may have moved.

        Also where the device does not say where it stands: the value from before does no harm
        to what never left it.
        """
        for control in self.undertaking.controls:
            last = self.undertaking.latest(control)
            has_undo = any(
                i.is_undo and i.command.control == control for i in self.undertaking.issued
            )
            if last is None or has_undo or last.state not in _RESTORABLE:
                continue
            stays = last.state is CommandState.NOT_TAKEN
            if stays and took(last.before, last.stands, last.tolerance):
                continue
            command = Command(
                id=key(self.undertaking.plan, control, "undo"),
                plan=self.undertaking.plan,
                twin=self.undertaking.twin,
                control=control,
                value=last.before,
                unit=last.command.unit,
                valid_from=self.now,
                expires_at=self.now + self.undertaking.lasting,
                actor="runtime",
                cause=self.undertaking.reason,
                choices=last.command.choices,
            )
            undo = Issued(command, last.before, last.tolerance, is_undo=True, since=self.now)
            self.undertaking = replace(self.undertaking, issued=(*self.undertaking.issued, undo))

    def _end_undoing(self) -> None:
        issued = self.undertaking.issued
        if any(i.state.is_open or i.state is CommandState.DECIDED for i in issued):
            return
        bad = []
        for each in (i for i in issued if i.is_undo):
            restored = self.undertaking.latest(each.command.control)
            theirs = restored is not None and restored.state is CommandState.OVERRIDDEN
            if restored is not None and each.state is CommandState.TAKEN:
                self.move(restored.command.id, CommandState.UNDONE, "undone")
            elif not theirs and each.state is not CommandState.OVERRIDDEN:
                bad.append(f"{each.command.control} could not be restored: {each.why}")
        why = self.undertaking.reason
        if bad:
            self.end(Stage.FAILED, f"{why} {' '.join(bad)} Look at the device.")
        else:
            self.end(Stage.UNDONE, why)


_ENDS: Final[dict[Stage, str]] = {
    Stage.KEPT: "plan_kept",
    Stage.UNDONE: "plan_undone",
    Stage.OVERRIDDEN: "plan_overridden",
    Stage.STOPPED: "plan_stopped",
    Stage.FAILED: "plan_failed",
}
_RESTORABLE: Final = {CommandState.TAKEN, CommandState.NOT_TAKEN}
