"""Looks at the lights alone, whoever switches them, and counts what should never be seen."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from gemeos_plants.traffic.controller import (
    GREEN,
    Program,
    Rules,
    apart,
    shortest_green,
)


class Watch:
    """Of one signal."""

    def __init__(self, programs: Sequence[Program], rules: Rules) -> None:
        """What is allowed: the rules, and what the programmes do by themselves."""
        self.seen: Counter[str] = Counter()
        """Breaches by kind: ``green``, ``yellow``, ``clearing``, ``cycle``. A green that is too
        short for those who walk over is one of the first."""
        self._apart = apart(programs, rules)
        self._shortest = []
        self._abrupt = set()
        for light in range(len(programs[0].phases[0].state)):
            usual = [shortest_green(light, p.phases, p.shortest) for p in programs]
            needed = rules.walking.get(light, rules.minimum_green_s)
            self._shortest.append(min(needed, *usual))
            for program in programs:
                shown = [p.state[light] for p in program.phases]
                if any(
                    a in GREEN and b == "r"
                    for a, b in zip(shown, shown[1:] + shown[:1], strict=True)
                ):
                    self._abrupt.add(light)
        self._least_cycle = min(rules.minimum_cycle_s, *(sum(p.shortest) for p in programs))
        self._most_cycle = max(rules.maximum_cycle_s, *(sum(p.longest) for p in programs))
        self._first = _first_light(programs)
        self._cycle_began: float | None = None
        self._before = ""
        self._green: dict[int, float] = {}
        self._ended: dict[int, float] = {}
        self._now = 0.0

    @property
    def breaches(self) -> int:
        """Of all kinds."""
        return self.seen.total()

    def saw(self, state: str, step_s: float) -> None:
        """These lights were shown for a step."""
        for light, shows in enumerate(state):
            was = self._before[light] if self._before else shows
            if was in GREEN and shows not in GREEN:
                self._ends(light, shows)
            elif was not in GREEN and shows in GREEN:
                self._begins(light)
            if shows in GREEN and light in self._green:
                self._green[light] += step_s
        self._before = state
        self._now += step_s

    def _ends(self, light: int, shows: str) -> None:
        # Of the first green nobody knows when it began.
        given = self._green.pop(light, math.inf)
        self._note("green", given < self._shortest[light] - 1e-9)
        self._note("yellow", shows == "r" and light not in self._abrupt)
        self._ended[light] = self._now

    def _begins(self, light: int) -> None:
        self._green[light] = 0.0
        for other, ended in self._ended.items():
            needed = self._apart.get((other, light), 0.0)
            self._note("clearing", self._now - ended < needed - 1e-9)
        if light == self._first:
            if self._cycle_began is not None:
                lasted = self._now - self._cycle_began
                within = self._least_cycle - 1e-9 <= lasted <= self._most_cycle + 1e-9
                self._note("cycle", not within)
            self._cycle_began = self._now

    def _note(self, kind: str, is_breach: bool) -> None:  # noqa: FBT001 -- what was looked at
        if is_breach:
            self.seen[kind] += 1


def _first_light(programs: Sequence[Program]) -> int:
    """A light whose one green of a cycle begins with the cycle, in all programmes; -1 for none."""
    for light in range(len(programs[0].phases[0].state)):
        shown = [[p.state[light] in GREEN for p in program.phases] for program in programs]
        begins = (sum(g and not b for g, b in zip(s, s[-1:] + s[:-1], strict=True)) for s in shown)
        if all(s[0] and not s[-1] for s in shown) and all(n == 1 for n in begins):
            return light
    return -1
