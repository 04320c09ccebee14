"""The numbers of a rule, and the greens of fixed plans, as spaces to search and as rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

import msgspec

from gemeos.foresee.space import Candidate, Continuous, Space
from gemeos.twins.traffic.signals.junction import Controlled
from gemeos.twins.traffic.signals.plans import cycle_s, fitted, plan_of, shortest_cycle
from gemeos.twins.traffic.signals.rules import Rule, Service, Timed

NUMBERS: Final = {
    "headway_s": (1.2, 2.8),
    "start_s": (0.0, 3.0),
    "permissive": (0.2, 1.0),
    "stay": (0.6, 1.8),
    "horizon_s": (12.0, 50.0),
    "waiting": (0.0, 3.0),
    "blocked": (0.001, 0.4),
    "back": (0.0, 12.0),
    "least": (0.3, 1.2),
    "soon_s": (0.5, 4.0),
    "pace": (0.4, 1.0),
    "early_s": (0.0, 12.0),
}
"""Of ``Service``: between what they are sought."""
USUAL: Final = Service()
LEAST_CYCLE_S: Final = 40
SHARE: Final = (0.02, 1.0)


class Choices(Protocol):
    """What a search may choose from, and what a choice means."""

    @property
    def space(self) -> Space:
        """Numbers."""
        ...

    @property
    def start(self) -> Candidate:
        """Where to begin."""
        ...

    def rules(self, chosen: Mapping[str, float | int | str]) -> dict[str, Rule]:
        """By signal."""
        ...


@dataclass(frozen=True)
class Numbers:
    """The numbers of ``Service``, the same at all signals."""

    signals: tuple[str, ...]
    begin: Service = USUAL

    @property
    def space(self) -> Space:
        """One axis a number."""
        return Space(tuple(Continuous(n, low, high) for n, (low, high) in NUMBERS.items()))

    @property
    def start(self) -> Candidate:
        """As they are."""
        numbers = msgspec.structs.asdict(self.begin)
        return Candidate.of(
            {n: min(max(numbers[n], low), high) for n, (low, high) in NUMBERS.items()}
        )

    def rules(self, chosen: Mapping[str, float | int | str]) -> dict[str, Rule]:
        """The rule at every signal."""
        rule = msgspec.structs.replace(self.begin, **{n: float(chosen[n]) for n in NUMBERS})
        return dict.fromkeys(self.signals, rule)


@dataclass(frozen=True)
class Greens:
    """Fixed plans: one cycle for all signals, and of each signal its greens and its offset.

    Every choice keeps the limits by the way it is made: to each stage its least, and of the rest of
    the cycle a share.
    """

    junctions: Mapping[str, Controlled]
    present: Mapping[str, Timed]

    @staticmethod
    def of(junctions: Mapping[str, Controlled]) -> Greens:
        """About the programmes that run."""
        return Greens(junctions, {name: plan_of(j) for name, j in junctions.items()})

    @property
    def space(self) -> Space:
        """The cycle, and by signal a share for each stage and the offset as a share."""
        least, most = self._cycles
        axes = [Continuous("cycle", least, most)] if least < most else []
        for name, plan in self.present.items():
            axes += [Continuous(f"{name}.{k}", *SHARE) for k in range(len(plan.order))]
            axes.append(Continuous(f"{name}.offset", 0.0, 1.0))
        return Space(tuple(axes))

    @property
    def start(self) -> Candidate:
        """As near to the present programmes as can be."""
        least, most = self._cycles
        cycles = [cycle_s(self.junctions[n].stages, p) for n, p in self.present.items()]
        cycle = min(max([*cycles, least]), most)
        chosen: dict[str, float] = {"cycle": cycle} if least < most else {}
        for name, plan in self.present.items():
            stages = self.junctions[name].stages
            spare = [
                max(g - stages.least[q], 0.0)
                for g, q in zip(plan.greens_s, plan.order, strict=True)
            ]
            most_spare = max([*spare, 1.0])
            for k, seconds in enumerate(spare):
                chosen[f"{name}.{k}"] = min(max(seconds / most_spare, SHARE[0]), SHARE[1])
            chosen[f"{name}.offset"] = (plan.offset_s % cycle) / cycle
        return Candidate.of(chosen)

    def rules(self, chosen: Mapping[str, float | int | str]) -> dict[str, Rule]:
        """A plan for each signal."""
        least, _ = self._cycles
        cycle = round(float(chosen.get("cycle", least)))
        found: dict[str, Rule] = {}
        for name, plan in self.present.items():
            shares = [float(chosen[f"{name}.{k}"]) for k in range(len(plan.order))]
            greens = fitted(self.junctions[name].stages, plan.order, shares, cycle)
            offset = int(float(chosen[f"{name}.offset"]) * cycle) % cycle
            found[name] = Timed(plan.order, tuple(greens), offset)
        return found

    @property
    def _cycles(self) -> tuple[int, int]:
        """Shortest and longest that all signals can have."""
        signals = self.present.items()
        shortest = [shortest_cycle(self.junctions[n].stages, p.order) for n, p in signals]
        longest = [int(self.junctions[n].limits.maximum_cycle_s) for n in self.present]
        least = max([*shortest, LEAST_CYCLE_S])
        return least, max(min(longest), least)
