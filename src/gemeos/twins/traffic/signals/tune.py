"""The numbers of a rule, and the greens of fixed plans, as spaces to search and as rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import msgspec

from gemeos.foresee.space import Candidate, Choice, Continuous, Space
from gemeos.twins.traffic.network import GREEN
from gemeos.twins.traffic.signals.junction import Controlled
from gemeos.twins.traffic.signals.plans import cycle_s, fitted, plan_of, shortest_cycle
from gemeos.twins.traffic.signals.rules import Rule, Service, Timed
from gemeos.twins.traffic.signals.stages import Stages

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
CYCLES_S: Final = (30, 36, 45, 60, 75, 90)
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


@dataclass(frozen=True)
class Cycles:
    """Fixed plans of a few plain kinds: a list, so that the best of it is found within seconds.

    One cycle for all signals, as far as each can keep it, the rest of it as the present programme
    shares it or evenly, and all stages of the programme or only as many as serve everybody.
    """

    junctions: Mapping[str, Controlled]
    present: Mapping[str, Timed]
    may_skip: bool = True
    """Whether stages may be left out; a cabinet may not be able to."""
    cycles: tuple[int, ...] = CYCLES_S

    @staticmethod
    def of(junctions: Mapping[str, Controlled], *, may_skip: bool = True) -> Cycles:
        """About the programmes that run."""
        plans = {name: plan_of(j) for name, j in junctions.items()}
        return Cycles(junctions, plans, may_skip=may_skip)

    @property
    def space(self) -> Space:
        """Three lists."""
        orders = ("all", "fewest") if self.may_skip else ("all",)
        return Space(
            (
                Choice("cycle", self.cycles, "s"),
                Choice("split", ("present", "even")),
                Choice("stages", orders),
            )
        )

    @property
    def start(self) -> Candidate:
        """The one that is most like the present programmes."""
        cycles = [cycle_s(self.junctions[n].stages, p) for n, p in self.present.items()]
        nearest = min(self.cycles, key=lambda c: abs(c - max(cycles)))
        return Candidate.of({"cycle": nearest, "split": "present", "stages": "all"})

    def rules(self, chosen: Mapping[str, float | int | str]) -> dict[str, Rule]:
        """A plan for each signal."""
        return {
            name: self._plan(self.junctions[name], plan, chosen)
            for name, plan in self.present.items()
        }

    def _plan(
        self, junction: Controlled, plan: Timed, chosen: Mapping[str, float | int | str]
    ) -> Timed:
        stages = junction.stages
        order = fewest(stages, plan.order) if chosen["stages"] == "fewest" else plan.order
        shown: dict[int, float] = {}
        for stage, green in zip(plan.order, plan.greens_s, strict=True):
            shown[stage] = shown.get(stage, 0.0) + green
        even = chosen["split"] == "even"
        shares = [1.0 if even else max(shown[q] - stages.least[q], 0.5) for q in order]
        cycle = max(int(chosen["cycle"]), shortest_cycle(stages, order))
        longest = max(int(junction.limits.maximum_cycle_s), shortest_cycle(stages, order))
        greens = fitted(stages, order, shares, min(cycle, longest))
        return Timed(order, tuple(greens), plan.offset_s)


def fewest(stages: Stages, order: Sequence[int]) -> tuple[int, ...]:
    """So many of the stages that every link and everybody who walks is served; two at least."""
    left = {i for i in stages.limits.served if any(stages.states[q][i] in GREEN for q in order)}
    walks = [set(serving) for serving in stages.walking]
    kept: list[int] = []
    for stage in sorted(set(order), key=lambda q: -sum(c in GREEN for c in stages.states[q])):
        green = {i for i in left if stages.states[stage][i] in GREEN}
        if green or any(stage in w and not w.intersection(kept) for w in walks):
            kept.append(stage)
            left -= green
    return tuple(q for q in order if q in kept) if len(kept) > 1 else tuple(order)
