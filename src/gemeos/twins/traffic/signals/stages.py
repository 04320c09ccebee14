"""The greens of a signal, and how one goes over to another within the limits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

from gemeos.errors import InputError
from gemeos.twins.traffic.network import GREEN, Program
from gemeos.twins.traffic.signals.limits import RANK, Conflict, Limits

SAME_S: Final = 1e-6
Steps = tuple[str, ...]
"""One state a second."""


@dataclass(frozen=True)
class Stages:
    """What a controller may choose from."""

    limits: Limits
    states: tuple[str, ...]
    """The greens, as the programme has them."""
    ways: tuple[tuple[int, int, Steps], ...] = ()
    """From one to another: what is shown in between, where it is not what the limits ask for."""

    def __post_init__(self) -> None:
        if not self.states:
            raise InputError(f"Signal {self.limits.signal!r} has no greens to choose from.")
        for state in self.states:
            self.limits.check(state)

    @cached_property
    def between(self) -> tuple[tuple[Steps, ...], ...]:
        """By stage and next stage: what is shown in between, a state a second."""
        told = {(p, q): way for p, q, way in self.ways}
        numbers = range(len(self.states))
        return tuple(tuple(self._way(p, q, told.get((p, q))) for q in numbers) for p in numbers)

    def _way(self, here: int, there: int, told: Steps | None) -> Steps:
        if here == there:
            return ()
        return (
            transition(self.limits, self.states[here], self.states[there]) if told is None else told
        )

    @cached_property
    def least(self) -> tuple[float, ...]:
        """By stage: the longest that limits may ask it to last before another may come."""
        limits = self.limits
        found = []
        for state in self.states:
            green = [s for i, s in enumerate(limits.minimum_green_s) if state[i] in GREEN]
            walk = [w.needs_s for w in limits.walks if state in w.served_by]
            found.append(max([*green, *walk, 0.0]))
        return tuple(found)

    @cached_property
    def serving(self) -> dict[int, tuple[int, ...]]:
        """By link: the stages that give it green, those with most greens first."""
        order = sorted(range(len(self.states)), key=lambda q: -self._greens(q))
        return {
            i: tuple(q for q in order if self.states[q][i] in GREEN)
            for i in range(self.limits.size)
        }

    @cached_property
    def walking(self) -> tuple[tuple[int, ...], ...]:
        """By walk: the stages in which people walk, those with most greens first."""
        order = sorted(range(len(self.states)), key=lambda q: -self._greens(q))
        return tuple(
            tuple(q for q in order if self.states[q] in walk.served_by)
            for walk in self.limits.walks
        )

    def _greens(self, stage: int) -> int:
        return sum(letter in GREEN for letter in self.states[stage])

    @property
    def round_s(self) -> float:
        """All stages one after the other, each as short as it may be."""
        longest = [max(map(len, row)) for row in self.between]
        return sum(self.least) + sum(longest)


def stages_of(program: Program, limits: Limits) -> Stages:
    """The greens of a programme.

    Left out is what only lets pedestrians finish: cars have the green that they had before, and
    crossings less. It is made again where it is needed.
    """
    found: list[str] = []
    cars = [i for i in range(limits.size) if i not in limits.pedestrians]
    phases = program.phases
    for place, phase in enumerate(phases):
        before = phases[place - 1]
        clears = (
            bool(limits.pedestrians)
            and before.gives_green
            and all(phase.state[i] == before.state[i] for i in cars)
            and all(
                phase.state[i] not in GREEN or before.state[i] in GREEN for i in limits.pedestrians
            )
        )
        if phase.gives_green and not clears and phase.state not in found:
            found.append(phase.state)
    stages = Stages(limits, tuple(found))
    # Where many must walk one after the other a round takes longer than is usual.
    longest = max(limits.longest_red_s, stages.round_s)
    wait = max(limits.maximum_wait_s, stages.round_s)
    kept = replace(limits, longest_red_s=longest, maximum_wait_s=wait)
    return Stages(kept, tuple(found))


def as_cabinets(stages: Stages, program: Program) -> Stages:
    """The same, but from each stage to the next as the programme itself has it.

    A cabinet that is told how long greens last leaves all between them as it is, also where its
    makers give those who walk less time to finish than the limits ask for.
    """
    found: dict[tuple[int, int], Steps] = {}
    unclear = set[tuple[int, int]]()
    here, way = -1, list[str]()
    whole = True
    # Twice, so that what comes before the first stage is found behind the last one.
    for phase in [*program.phases, *program.phases]:
        if phase.state not in stages.states:
            seconds = round(phase.duration_s)
            whole = whole and abs(seconds - phase.duration_s) < SAME_S
            way += [phase.state] * seconds
            continue
        there = stages.states.index(phase.state)
        pair = here, there
        apart = here >= 0 and here != there
        if apart and (not whole or found.setdefault(pair, tuple(way)) != tuple(way)):
            unclear.add(pair)
        here, way, whole = there, [], True
    kept = ((p, q, steps) for (p, q), steps in found.items() if (p, q) not in unclear)
    return replace(stages, ways=tuple(kept))


def transition(limits: Limits, here: str, there: str) -> Steps:
    """What is shown between two greens, a state a second.

    First crossings turn red, so that people can finish; then cars have yellow; then, where the
    limits ask for it, all that ends is red before the next begins.
    """
    starts = [j for j in range(limits.size) if RANK.get(there[j], 0) > RANK.get(here[j], 0)]
    waits = [c for j in starts for c in limits.foes[j] if _must_end(c, here, there)]
    ends = {i for i in range(limits.size) if here[i] in GREEN and there[i] not in GREEN}
    ends |= {c.first for c in waits}
    if not ends:
        return ()
    after = {i: limits.yellow_s[i] for i in ends}
    for c in waits:
        after[c.first] = max(after[c.first], c.apart_s)
    walkers = [math.ceil(after[i]) for i in ends if i in limits.pedestrians]
    cars = [math.ceil(after[i]) for i in ends if i not in limits.pedestrians]
    whole = max([*walkers, *cars, 0])
    begin = whole - max(cars, default=0)
    """When yellow comes up."""
    return tuple(
        "".join(_letter(limits, here, i, ends, second, begin) for i in range(limits.size))
        for second in range(whole)
    )


def _letter(limits: Limits, here: str, link: int, ends: set[int], second: int, begin: int) -> str:
    if link not in ends:
        return here[link]
    if link in limits.pedestrians:
        return "r"
    if second < begin:
        return here[link]
    return "y" if second - begin < math.ceil(limits.yellow_s[link]) else "r"


def _must_end(conflict: Conflict, here: str, there: str) -> bool:
    """Whether the first link's green may not last until the second one's begins."""
    was = here[conflict.first]
    return was in GREEN and was + there[conflict.second] not in conflict.together


def shown(steps: Sequence[str]) -> list[tuple[str, int]]:
    """States with how many seconds each is shown."""
    found: list[tuple[str, int]] = []
    for state in steps:
        if found and found[-1][0] == state:
            found[-1] = (state, found[-1][1] + 1)
        else:
            found.append((state, 1))
    return found
