"""Fixed-time plans: a cycle of a signal's stages, as a rule, as a programme, from a programme."""

from __future__ import annotations

from collections.abc import Sequence

from gemeos.errors import InputError
from gemeos.twins.traffic.network import Phase, Program
from gemeos.twins.traffic.signals.checker import Kind, Violation, violations
from gemeos.twins.traffic.signals.junction import Controlled
from gemeos.twins.traffic.signals.limits import states_of
from gemeos.twins.traffic.signals.rules import Timed
from gemeos.twins.traffic.signals.stages import Stages, shown

ROUNDS = 4
"""Of a cycle, to see all that may follow each other."""


def check_order(stages: Stages, plan: Timed) -> None:
    """Raise unless the stages of ``plan`` are there.

    Raises:
        InputError: one is not.
    """
    for stage in plan.order:
        if not 0 <= stage < len(stages.states):
            raise InputError(
                f"Signal {stages.limits.signal!r} has stages 0 to {len(stages.states) - 1}, "
                f"not {stage}."
            )


def cycle_s(stages: Stages, plan: Timed) -> int:
    """Greens, and what is shown between them."""
    return sum(plan.greens_s) + sum(map(len, _ways(stages, plan)))


def stage_at(stages: Stages, plan: Timed, now: float) -> int:
    """The stage that is shown at that time, or gone to."""
    found = place_in(stages, plan, (now - plan.offset_s) % cycle_s(stages, plan))
    return plan.order[0] if found is None else found


def place_in(
    stages: Stages, plan: Timed, into: float, longer: tuple[int, float] = (0, 0.0)
) -> int | None:
    """The stage that is shown so long after a cycle began, or gone to; None when it is over.

    Args:
        stages: The signal's.
        plan: Its cycle.
        into: Seconds since its first green began.
        longer: Which of its greens is longer than the plan says, and by how much.
    """
    for place, (green, way) in enumerate(zip(plan.greens_s, _ways(stages, plan), strict=True)):
        into -= green + (longer[1] if place == longer[0] else 0.0)
        if into < 0:
            return plan.order[place]
        into -= len(way)
        if into < 0:
            return plan.order[(place + 1) % len(plan.order)]
    return None


def program_of(stages: Stages, plan: Timed, name: str = "gemeos") -> Program:
    """The programme that shows this plan, every row of it."""
    check_order(stages, plan)
    phases = []
    for stage, green, way in zip(plan.order, plan.greens_s, _ways(stages, plan), strict=True):
        state = stages.states[stage]
        phases.append(Phase(float(green), state, minimum_s=green, maximum_s=green))
        phases += [Phase(float(seconds), between) for between, seconds in shown(way)]
    return Program(stages.limits.signal, name, tuple(phases), offset_s=float(plan.offset_s))


def plan_of(junction: Controlled) -> Timed:
    """What the signal's own programme is, as far as its stages tell: greens in whole seconds."""
    states = junction.stages.states
    order, greens = [], []
    for phase in junction.program.phases:
        if phase.state in states:
            order.append(states.index(phase.state))
            greens.append(max(round(phase.duration_s), 1))
    first = next(p for p in junction.program.phases if p.state in states)
    before = 0.0
    for phase in junction.program.phases:
        if phase is first:
            break
        before += phase.duration_s
    return Timed(tuple(order), tuple(greens), round(junction.program.offset_s + before))


def broken(junction: Controlled, plan: Timed) -> list[Violation]:
    """What a plan breaks when it runs by itself, its cycle among it."""
    program = program_of(junction.stages, plan)
    cycle, limits = program.cycle_s, junction.limits
    end = program.offset_s + ROUNDS * cycle
    found = violations(limits, list(states_of(program, program.offset_s, end)), end)
    if cycle > limits.maximum_cycle_s:
        found.append(
            Violation(
                Kind.CYCLE, limits.signal, program.offset_s, (), cycle, limits.maximum_cycle_s
            )
        )
    return found


def fitted(stages: Stages, order: Sequence[int], shares: Sequence[float], cycle: int) -> list[int]:
    """Greens that fill a cycle: to each stage its least, and of what is left its share.

    Raises:
        InputError: the cycle is too short for that.
    """
    ways = sum(len(stages.between[p][q]) for p, q in _pairs(order))
    least = [max(1, -int(-stages.least[stage] // 1)) for stage in order]
    spare = cycle - ways - sum(least)
    if spare < 0:
        raise InputError(
            f"Signal {stages.limits.signal!r} needs {cycle - spare} s for all its stages; "
            f"a cycle of {cycle} s is too short."
        )
    whole = sum(shares) or 1.0
    wanted = [spare * share / whole for share in shares]
    greens = [a + int(b) for a, b in zip(least, wanted, strict=True)]
    # What is left of rounding goes to those who lost most by it.
    lost = sorted(range(len(order)), key=lambda k: int(wanted[k]) - wanted[k])
    for k in lost[: cycle - ways - sum(greens)]:
        greens[k] += 1
    return greens


def shortest_cycle(stages: Stages, order: Sequence[int]) -> int:
    """Each stage as short as it may be."""
    ways = sum(len(stages.between[p][q]) for p, q in _pairs(order))
    return ways + sum(max(1, -int(-stages.least[stage] // 1)) for stage in order)


def _pairs(order: Sequence[int]) -> list[tuple[int, int]]:
    return [(p, order[(k + 1) % len(order)]) for k, p in enumerate(order)]


def _ways(stages: Stages, plan: Timed) -> list[tuple[str, ...]]:
    """After each stage of the plan: what is shown before the next."""
    return [stages.between[p][q] for p, q in _pairs(plan.order)]
