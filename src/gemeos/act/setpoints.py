"""A plan as commands: every course becomes values at instants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from itertools import pairwise
from typing import Final

from gemeos.act.base import Conduct, Rules
from gemeos.errors import InterventionError
from gemeos.schema.command import Command
from gemeos.schema.intervention import Change, Hold, Profile, Ramp
from gemeos.schema.plan import Plan
from gemeos.schema.variable import Control
from gemeos.units.instant import Instant, Span

MOST: Final = 500
"""Commands of one plan."""


def commands_of(
    plan: Plan,
    rules: Mapping[str, Rules],
    standing: Mapping[str, float],
    conduct: Conduct,
    *,
    now: Instant,
    actor: str,
) -> tuple[Command, ...]:
    """What is to be sent, in the order of their times. Controls without rules are left out.

    Args:
        plan: What should be done.
        rules: By control.
        standing: Where each control stands, in its declared unit.
        conduct: Of the twin.
        now: Where its spans count from, if it does not say.
        actor: Who has it sent.

    Raises:
        InterventionError: it says something that cannot be commanded.
    """
    begins = now if plan.begins_at is None else plan.begins_at
    made = []
    for control, several in plan.read.items():
        ruled = rules.get(control)
        if ruled is None:
            continue
        start = standing.get(control)
        for number, (after, value) in enumerate(_setpoints(control, several, ruled, start)):
            made.append(
                Command(
                    id=key(plan.id, control, str(number)),
                    plan=plan.id,
                    twin=plan.twin,
                    control=control,
                    value=value,
                    unit=ruled.control.unit,
                    valid_from=begins + after,
                    expires_at=begins + after + conduct.lasting,
                    actor=actor,
                    cause=f"plan {plan.name}",
                    choices=ruled.control.choices,
                )
            )
    if len(made) > MOST:
        raise InterventionError(
            f"The plan {plan.name} has {len(made)} commands, and may have {MOST}: a longer 'pace' "
            "of its controls makes fewer."
        )
    return tuple(sorted(made, key=lambda command: command.valid_from))


def key(plan: str, control: str, step: str) -> str:
    """The idempotency key of one step of one plan."""
    return sha256(f"{plan}\n{control}\n{step}".encode()).hexdigest()[:24]


def _setpoints(
    control: str, several: Sequence[Change], rules: Rules, standing: float | None
) -> list[tuple[Span, float]]:
    """Values after spans, each unlike the one before."""
    for change in several:
        _check(control, change, rules)
    times = sorted({at for change in several for at in _times(change, rules.pace)})
    told: list[tuple[Span, float]] = []
    before = standing
    for at in times:
        value = standing
        for change in several:
            if change.after <= at and (
                change.lasting is None or at < change.after + change.lasting
            ):
                value = _value(change, rules.control, value, at - change.after)
        if value is None:
            raise InterventionError(
                f"{control} would go back to where it stands, and its device does not say where."
            )
        if not told or value != before:
            told.append((at, value))
        before = value
    return told


def _check(control: str, change: Change, rules: Rules) -> None:
    if change.when is not None:
        raise InterventionError(
            f"{control}: '{change}' waits for a condition. A plan says what is set when."
        )
    if not isinstance(change.course, (Hold, Ramp, Profile)):
        raise InterventionError(
            f"{control}: '{change}' is no value that could be set. A plan sets values: '3 deg', "
            "a ramp or a profile."
        )
    if rules.control.choices and not isinstance(change.course, Hold):
        raise InterventionError(
            f"{control}: '{change}' moves between choices, and there is nothing between them."
        )


def _times(change: Change, pace: Span) -> list[Span]:
    """When something is to be set, from the beginning of the plan."""
    match change.course:
        case Ramp(over=over):
            steps = [*range(pace, over, pace), over]
        case Profile(points=points):
            last = points[-1][0]
            steps = sorted({*range(0, last, pace), *(at for at, _ in points)})
        case _:
            steps = [0]
    ends = [] if change.lasting is None else [change.lasting]
    within = [at for at in steps if change.lasting is None or at < change.lasting]
    return [change.after + at for at in (*within, *ends)]


def _value(change: Change, control: Control, before: float | None, into: Span) -> float | None:
    """Where the change has the control, ``into`` its own time."""
    unit = control.unit
    match change.course:
        case Hold(value=value):
            return control.number(value)
        case Ramp(end=end, over=over, start=start):
            begin = before if start is None else start.within(unit)
            if begin is None:
                raise InterventionError(
                    f"{control.name}: a ramp from where it is, and its device does not say where."
                )
            part = min(into / over, 1.0)
            return begin + part * (end.within(unit) - begin)
        case Profile(points=points):
            if into < points[0][0]:
                return before
            for (begin_at, low), (end_at, high) in pairwise(points):
                if begin_at <= into <= end_at:
                    part = (into - begin_at) / (end_at - begin_at)
                    first, last = low.within(unit), high.within(unit)
                    return first + part * (last - first)
            return points[-1][1].within(unit)
        case _:
            return before
