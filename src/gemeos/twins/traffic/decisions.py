"""What of a district's signals may be set: how long stages last, and when cycles begin.

A control is a number that a signal's cabinet knows: the seconds of a phase of its programme, or its
offset. Their bounds are such that whatever is chosen within them, the cycle keeps its limits. As
long as all stand where the programme has them, the programme runs as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from gemeos.errors import UnknownNameError
from gemeos.runtime.engine_model import EngineControl
from gemeos.twins.traffic.district import SignalLimits
from gemeos.twins.traffic.network import GREEN, Phase, Program
from gemeos.twins.traffic.signals import Controlled, Fixed, Ordered, Rule, Timed, written
from gemeos.twins.traffic.signals.inside import POLICY
from gemeos.twins.traffic.signals.plans import plan_of
from gemeos.twins.traffic.signals.rules import LARGEST_STRETCH

SHORTEST_STAGE_S: Final = 5.0
"""A green that is shorter belongs to a change of stages."""
SAME_S: Final = 1e-6


@dataclass(frozen=True, slots=True)
class Place:
    """A number that a cabinet holds."""

    control: str
    """Its name in the twin."""
    signal: str
    phase: int | None
    """Number in the programme; None for the offset."""
    default: float
    least: float
    most: float

    @property
    def at_device(self) -> str:
        """What the cabinet calls it."""
        what = "offset" if self.phase is None else f"phase/{self.phase}"
        return f"{_quoted(self.signal, keeping='/')}/{what}"

    @property
    def channel(self) -> str:
        """On which the cabinet tells where it stands."""
        what = "offset" if self.phase is None else f"phase{self.phase}"
        return f"{_quoted(self.signal)}/{what}"

    @property
    def declared(self) -> EngineControl:
        """For an engine's model, which sets it with all others of the signal."""
        return EngineControl(
            self.control, "s", bounds=(self.least, self.most), default=self.default
        )


@dataclass(frozen=True)
class Cabinets:
    """All places of some signals."""

    junctions: Mapping[str, Controlled]
    places: tuple[Place, ...]
    limits: Mapping[str, SignalLimits]

    def rules(self, told: Mapping[str, float]) -> dict[str, str]:
        """What the engine is told of each signal, by the name of its control there."""
        return {
            f"signal.{signal}.{POLICY}": written(self._rule(signal, places, told))
            for signal, places in self._by_signal.items()
        }

    def plans(self, told: Mapping[str, float]) -> dict[str, Timed]:
        """The cycles of the signals that are set otherwise than their programmes.

        Args:
            told: By control; those that are left out stand where the programme has them.
        """
        whole = {p.control: told.get(p.control, p.default) for p in self.places}
        return {
            signal: self._plan(signal, places, whole)
            for signal, places in self._by_signal.items()
            if not _is_usual(places, whole)
        }

    def _plan(self, signal: str, places: Sequence[Place], told: Mapping[str, float]) -> Timed:
        usual = self._plans[signal]
        greens, moved = list(usual.greens_s), 0.0
        for place in places:
            if place.phase is None:
                moved = told[place.control] - place.default
            else:
                at = _stages(self.junctions[signal]).index(place.phase)
                greens[at] = max(round(told[place.control]), 1)
        return Timed(usual.order, tuple(greens), round(usual.offset_s + moved))

    def _rule(self, signal: str, places: Sequence[Place], told: Mapping[str, float]) -> Rule:
        if _is_usual(places, told):
            return Fixed()
        plan = self._plan(signal, places, told)
        limits, program = self.limits[signal], self.junctions[signal].program
        most = tuple(
            limits.maximum_green_s
            if (told_most := program.phases[k].maximum_s) is None
            else told_most
            for k in _stages(self.junctions[signal])
        )
        return Ordered(
            plan.order,
            plan.greens_s,
            plan.offset_s,
            most,
            max(limits.maximum_cycle_s, program.cycle_s),
        )

    @cached_property
    def _plans(self) -> dict[str, Timed]:
        return {signal: plan_of(self.junctions[signal]) for signal in self._by_signal}

    @cached_property
    def _by_signal(self) -> dict[str, tuple[Place, ...]]:
        names = dict.fromkeys(p.signal for p in self.places)
        return {n: tuple(p for p in self.places if p.signal == n) for n in names}


def cabinets(
    junctions: Mapping[str, Controlled],
    limits: Mapping[str, SignalLimits],
    only: Sequence[str] | None = None,
) -> Cabinets:
    """The places of these signals.

    Args:
        junctions: All signals with something to choose.
        limits: By signal.
        only: The signals that may be set; all where left out.

    Raises:
        UnknownNameError: there is no such signal.
    """
    for name in only or ():
        if name not in junctions:
            raise UnknownNameError("signal", name, junctions, where="the district")
    chosen = junctions if only is None else only
    names = name_of(list(chosen))
    return Cabinets(
        junctions,
        tuple(p for s in chosen for p in _places(junctions[s], limits[s], names[s])),
        limits,
    )


def name_of(things: Sequence[str], before: str = "") -> dict[str, str]:
    """Names that a schema takes, of whatever things are called; no two alike."""
    found: dict[str, str] = {}
    for thing in things:
        plain = "".join(c if c.isalnum() and c.isascii() else "_" for c in thing)
        usual = f"{before}{plain}" if before or plain[:1].isalpha() else f"s{plain}"
        name, tries = usual, 2
        while name in found.values():
            name, tries = f"{usual}_{tries}", tries + 1
        found[thing] = name
    return found


def _places(junction: Controlled, limits: SignalLimits, name: str) -> Iterator[Place]:
    program = junction.program
    stages = [k for k in _stages(junction) if _may_differ(program.phases[k])]
    if not stages:
        return
    cycle = program.cycle_s
    more = _longer(junction, stages, limits)
    less = max(cycle - limits.minimum_cycle_s, 0.0) / len(stages)
    for k in stages:
        phase = program.phases[k]
        needed = junction.stages.least[junction.stages.states.index(phase.state)]
        told_low, told_high = phase.minimum_s or 0.0, phase.maximum_s
        lowest = max(limits.minimum_green_s, needed, told_low, phase.duration_s - less)
        highest = min(
            limits.maximum_green_s if told_high is None else told_high, phase.duration_s + more
        )
        least, most = min(lowest, phase.duration_s), max(highest, phase.duration_s)
        if least < most:
            yield Place(f"{name}_phase{k}", junction.signal, k, phase.duration_s, least, most)
    if 0.0 <= program.offset_s <= cycle:
        yield Place(f"{name}_offset", junction.signal, None, program.offset_s, 0.0, cycle)


def _is_usual(places: Sequence[Place], told: Mapping[str, float]) -> bool:
    return all(abs(told[p.control] - p.default) < SAME_S for p in places)


def _longer(junction: Controlled, stages: Sequence[int], limits: SignalLimits) -> float:
    """Seconds by which each of these may be longer: no cycle is too long then, and no red.

    However the others are chosen, and while a cabinet finds back to its offset.
    """
    program = junction.program
    cycle, count = program.cycle_s, len(stages)
    room = (limits.maximum_cycle_s - cycle) / count
    for link in junction.limits.served:
        others = sum(program.phases[k].state[link] not in GREEN for k in stages)
        left = junction.limits.longest_red_s - _longest_red(program, link) - LARGEST_STRETCH * cycle
        room = min(room, left / (others + LARGEST_STRETCH * count))
    return max(room, 0.0)


def _longest_red(program: Program, link: int) -> float:
    """In the programme, between two greens of a link that has one."""
    shown = [phase.state[link] in GREEN for phase in program.phases]
    first = shown.index(True)
    longest = lasted = 0.0
    for k in [*range(first, len(shown)), *range(first)]:
        lasted = 0.0 if shown[k] else lasted + program.phases[k].duration_s
        longest = max(longest, lasted)
    return longest


def _stages(junction: Controlled) -> list[int]:
    """Numbers of the phases that ``plan_of`` takes for stages, in its order."""
    states = junction.stages.states
    return [k for k, phase in enumerate(junction.program.phases) if phase.state in states]


def _may_differ(phase: Phase) -> bool:
    """As cabinets see it."""
    if phase.minimum_s is not None and phase.maximum_s is not None:
        return phase.maximum_s > phase.minimum_s
    return phase.duration_s >= SHORTEST_STAGE_S and not set(phase.state) & set("yYu")


def _quoted(name: str, keeping: str = "") -> str:
    """A name as topics can hold it."""
    for sign in "%+#/":
        if sign not in keeping:
            name = name.replace(sign, f"%{ord(sign):02X}")
    return name
