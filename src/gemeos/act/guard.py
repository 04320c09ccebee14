"""May this be sent? Pure, and refusing wherever something is not known to be in order."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from gemeos.act.approve import Approval, missing
from gemeos.act.base import Conduct, Rules, Situation
from gemeos.errors import GemeosError
from gemeos.schema.command import Command
from gemeos.schema.phase import Phase
from gemeos.schema.plan import Plan
from gemeos.units import iso, span_told

_ROUNDING: Final = 1e-9
"""Relative: a value read as 1.1 and converted there and back is still within a limit of 1.1."""


def against_plan(
    plan: Plan,
    approvals: Sequence[Approval],
    conduct: Conduct,
    situation: Situation,
) -> list[str]:
    """Everything that speaks against beginning it, its commands apart; empty where it may."""
    reasons = list(missing(approvals, plan, conduct))
    now = situation.now
    if situation.applied is not None:
        reasons.append(f"It was applied before ({situation.applied}); make a new one.")
    if not plan.recommended:
        told = "; ".join(each.rstrip(".") for each in plan.against)
        reasons.append(f"It is not recommended: {told}.")
    if now >= plan.expires_at:
        reasons.append(f"It expired at {iso(plan.expires_at)}; it is {iso(now)}.")
    if now < plan.state_at:
        reasons.append(f"It rests on a state of {iso(plan.state_at)}, which is yet to come.")
    if now - plan.state_at > conduct.oldest_state:
        reasons.append(
            f"It rests on a state that is {span_told(now - plan.state_at)} old; at most "
            f"{span_told(conduct.oldest_state)} are allowed."
        )
    return reasons


def against_situation(twin: str, conduct: Conduct, situation: Situation) -> list[str]:
    """Why nothing may be sent to this twin's original now, whatever it is."""
    reasons = list(situation.killed)
    if situation.phase is not Phase.IN_STEP:
        reasons.append(f"{twin} is {situation.phase.value}; only a twin that is in step acts.")
    if situation.estimate is None or situation.state_at is None:
        reasons.append(f"{twin} has no estimate.")
    elif situation.now - situation.state_at > conduct.oldest_state:
        reasons.append(
            f"The newest reading of {twin} is {span_told(situation.now - situation.state_at)} "
            f"old; at most {span_told(conduct.oldest_state)} are allowed."
        )
    return reasons


def against_commands(
    commands: Sequence[Command], rules: Mapping[str, Rules], situation: Situation
) -> list[str]:
    """Everything that speaks against sending these, in their order; empty where they may."""
    if not commands:
        return ["There is nothing to send."]
    reasons: list[str] = []
    for control in dict.fromkeys(c.control for c in commands):
        mine = [c for c in commands if c.control == control]
        ruled = rules.get(control)
        if ruled is None:
            reasons.append(f"No actuator is declared for {control}.")
            continue
        if control in situation.busy:
            reasons.append(f"{control} is held by the plan {situation.busy[control]}.")
        reasons += _beyond_limits(mine, ruled)
        reasons += _too_fast(mine, ruled, situation)
        reasons += _interlocked(ruled, situation)
    reasons += [
        f"The command for {c.control} expired at {iso(c.expires_at)}."
        for c in commands
        if situation.now >= c.expires_at
    ]
    return list(dict.fromkeys(reasons))


def _beyond_limits(commands: Iterable[Command], rules: Rules) -> Iterable[str]:
    least, most = rules.limits
    unit = rules.control.unit
    for command in commands:
        slack = _ROUNDING * max(abs(command.value), 1.0)
        # Written so that a value which compares with nothing is refused.
        if not least - slack <= command.value <= most + slack:
            yield (
                f"{command.control} would be set to {command.value:g} {unit}; allowed are "
                f"{least:g} to {most:g} {unit}."
            )


def _too_fast(commands: Sequence[Command], rules: Rules, situation: Situation) -> Iterable[str]:
    control = rules.control.name
    standing = situation.standing.get(control)
    if standing is None or not math.isfinite(standing):
        yield f"Its device does not say where {control} stands."
        return
    if rules.rate is None:
        return
    moves = [(m.at, m.by) for m in situation.moves.get(control, ())]
    for command in commands:
        moves.append((max(command.valid_from, situation.now), abs(command.value - standing)))
        standing = command.value
    for end, _ in moves:
        moved = sum(by for at, by in moves if end - rules.rate.within < at <= end)
        if not moved <= rules.rate.most * (1 + _ROUNDING):
            yield (
                f"{control} would be moved by {moved:g} {rules.control.unit} within "
                f"{span_told(rules.rate.within)}; at most {rules.rate.most:g} are allowed."
            )
            return


def _interlocked(rules: Rules, situation: Situation) -> Iterable[str]:
    for chance in rules.interlocks:
        if situation.estimate is None:
            yield f"{rules.control.name} is interlocked: whether {chance} is not known."
            continue
        try:
            share = float(situation.estimate.prob(chance.condition)[-1])
        except GemeosError as error:
            yield f"{rules.control.name} is interlocked: {error}"
            continue
        if not chance.allows(share):
            yield f"{rules.control.name} is interlocked: {chance} does not hold, it is {share:.2g}."
