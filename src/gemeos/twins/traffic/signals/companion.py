"""The rules of all signals at work, second by second, in the process that runs SUMO."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final, final

import msgspec

from gemeos.twins.traffic.network import GREEN
from gemeos.twins.traffic.signals.eyes import Eyes
from gemeos.twins.traffic.signals.junction import Controlled, phase_at
from gemeos.twins.traffic.signals.light import Light, Seen
from gemeos.twins.traffic.signals.plans import check_order, cycle_s, place_in, stage_at
from gemeos.twins.traffic.signals.rules import (
    Fixed,
    Ordered,
    Pressure,
    Rule,
    Service,
    Shares,
    Timed,
    Wave,
    greedy,
    service,
    shares,
)
from gemeos.twins.traffic.signals.stages import Stages

BARE_YELLOW_S: Final = 3.0
"""All that a rule without limits keeps: Ault & Sharon (2021)."""
STEP_S: Final = 1.0
"""Of the simulation: what is shown is seen a step later."""
SLACK: Final = 1e-9
"""Of seconds that are added up."""
LOOK_S: Final = 10.0
"""So often who has waited longest is looked for."""

Told = list[tuple[float, str]]


class Kept(msgspec.Struct):
    """What one signal goes on from."""

    rule: Rule
    seen: Seen
    holds: bool = False
    """Whether its lights are ours."""
    decided: float = -1e9
    """When a rule of ``every_s`` has decided last."""
    bare: list[tuple[float, str]] = []
    """Without limits: when what comes up."""
    shown: Told = []
    """What came up when."""
    runs: Ordered | None = None
    """The order whose cycle runs; another one waits for its end."""
    began: float = 0.0
    """When that cycle did."""


@final
class Companion:
    """Watches every signal, and sets those that have a rule other than ``Fixed``."""

    def __init__(self, lib: Any, junctions: Mapping[str, Controlled]) -> None:  # noqa: ANN401
        self._lib = lib
        self._junctions = junctions
        self._eyes = Eyes(lib)
        self._lights: dict[str, Light] = {}
        self._shares: dict[tuple[str, Service], Shares] = {}
        self.kept: dict[str, Kept] = {}
        self.longest_wait = 0.0
        """That any vehicle has stood in all, or has waited to depart."""

    def begin(self, kept: Mapping[str, Kept] | None = None) -> None:
        """See what is shown; or go on from ``kept``."""
        now = self._now()
        for name, junction in self._junctions.items():
            state = self._state(name)
            before = None if kept is None else kept[name].seen
            light = Light(junction.stages, state, now, before)
            self._lights[name] = light
            if kept is None:
                self.kept[name] = Kept(Fixed(), light.seen, shown=[(now, state)])
                continue
            self.kept[name] = kept[name]
            if kept[name].holds:
                self._set(name, kept[name].shown[-1][1])

    def give(self, name: str, rule: Rule) -> None:
        """``name`` follows this rule from now on.

        It takes over as soon as its programme shows one of the stages, and gives back to its
        programme as soon as both show the same; so no limit is broken on the way.
        """
        if isinstance(rule, Timed):
            check_order(self._junctions[name].stages, rule)
        kept = self.kept[name]
        kept.rule = rule
        if not isinstance(rule, Ordered):
            kept.runs = None

    def let_go(self, name: str) -> None:
        """Somebody else has set the lights: they are not ours any more."""
        kept = self.kept[name]
        kept.seen.left, kept.bare, kept.holds, kept.rule = [], [], False, Fixed()

    def step(self) -> None:
        """Before a step of the simulation: set what is shown in it."""
        now = self._now()
        self._eyes.blink()
        for name, kept in self.kept.items():
            rule = kept.rule
            if isinstance(rule, Wave | Pressure) and not rule.limited:
                self._bare(name, kept, rule, now)
            elif kept.holds or not isinstance(rule, Fixed):
                self._within_limits(name, kept, rule, now)
        if now % LOOK_S == 0:
            self._look_for_waiting()

    def watch(self) -> None:
        """After a step: what was shown in it."""
        now = self._now() - self._lib.simulation.getDeltaT()
        for name, kept in self.kept.items():
            state = self._state(name)
            if not kept.holds:
                self._lights[name].look(state, now)
            if kept.shown[-1][1] != state:
                if kept.shown[-1][0] >= now:
                    # A rule took over in the first second: nobody has seen what stood before.
                    kept.shown.pop()
                kept.shown.append((now, state))

    def _within_limits(self, name: str, kept: Kept, rule: Rule, now: float) -> None:
        light = self._lights[name]
        if not (kept.holds or self._takes(name, kept, rule, now)):
            return
        if isinstance(rule, Ordered):
            self._turn(name, kept, rule, now)
        if not light.seen.left:
            if isinstance(rule, Fixed) and self._gives_back(name, kept, now):
                return
            wanted = self._wanted(name, kept, rule, light, now)
            if wanted >= 0:
                ordered = isinstance(rule, Ordered)
                light.go(wanted, self._junctions[name].cabinet if ordered else None)
        if light.seen.left:
            before = light.seen.state
            state = light.step(now)
            if state != before:
                self._set(name, state)

    def _takes(self, name: str, kept: Kept, rule: Rule, now: float) -> bool:
        """Hold the lights from now on, if its programme lets us."""
        light = self._lights[name]
        if light.seen.stage < 0:
            return False  # its programme is on the way from one green to the next
        if isinstance(rule, Ordered):
            if light.seen.stage != rule.order[0] or now - light.seen.since > STEP_S:
                return False  # its cycle is not over
            kept.runs, kept.began = rule, light.seen.since
        kept.holds = True
        self._set(name, light.seen.state)
        return True

    def _wanted(self, name: str, kept: Kept, rule: Rule, light: Light, now: float) -> int:
        """The stage to go to now; -1 to stay."""
        forced = light.forced(now)
        if forced >= 0:
            return forced if light.may_go(forced, now) else -1
        if not light.may_leave(now):
            return -1
        if isinstance(rule, Wave | Pressure) and now - kept.decided < rule.every_s:
            return -1
        junction = self._junctions[name]
        stage = self._asked(name, rule, junction, light, now)
        if stage == light.seen.stage:
            kept.decided = now
            return -1
        if not (light.may_go(stage, now) and light.stays_feasible(stage, now)):
            return -1
        kept.decided = now
        return stage

    def _asked(self, name: str, rule: Rule, junction: Controlled, light: Light, now: float) -> int:
        if isinstance(rule, Fixed):
            shown, _ = phase_at(junction.program, now)
            states = junction.stages.states
            return states.index(shown) if shown in states else light.seen.stage
        if isinstance(rule, Ordered):
            stage = _place(junction.cabinet, self.kept[name], now)
            return light.seen.stage if stage is None else stage
        if isinstance(rule, Timed):
            return stage_at(junction.stages, rule, now)
        queues = self._eyes.queues(junction.lanes, behind=isinstance(rule, Pressure))
        if isinstance(rule, Wave | Pressure):
            return greedy(rule, junction.stages.states, junction.lanes, queues)
        key = (name, rule)
        if key not in self._shares:
            self._shares[key] = shares(rule, junction.stages.states, junction.lanes)
        return service(rule, self._shares[key], junction.lanes, queues, light, now)

    def _turn(self, name: str, kept: Kept, rule: Ordered, now: float) -> None:
        """Begin the next cycle where one is over, as it is ordered by then."""
        stages = self._junctions[name].cabinet
        if kept.runs is None:
            # Another rule held the lights: no cycle is there to be ended.
            kept.runs, kept.began = rule, now
        while _place(stages, kept, now) is None:
            _, longer = _longer(stages, kept)
            kept.began += cycle_s(stages, kept.runs) + longer
            kept.runs = rule

    def _gives_back(self, name: str, kept: Kept, now: float) -> bool:
        """Let the programme run on its own, if it shows what we show and for long enough."""
        light, junction = self._lights[name], self._junctions[name]
        program = junction.program
        if program.adapts:
            # It begins anew where a cycle does, as cabinets have it.
            states = [phase.state for phase in program.phases]
            first = next(k for k, s in enumerate(states) if s in junction.stages.states)
            if light.seen.state != states[first] or now < light.free_at:
                return False
        else:
            first = -1
            shown, until = phase_at(program, now)
            if shown != light.seen.state or until < light.free_at:
                return False
        kept.holds = False
        self._lib.trafficlight.setProgram(name, program.id)
        if first >= 0:
            self._lib.trafficlight.setPhase(name, first)
        return True

    def _bare(self, name: str, kept: Kept, rule: Wave | Pressure, now: float) -> None:
        """As published: every few seconds the greediest stage, after 3 s of yellow."""
        while kept.bare and kept.bare[0][0] <= now:
            self._set(name, kept.bare.pop(0)[1])
        if now - kept.decided < rule.every_s:
            return
        kept.decided = now
        junction = self._junctions[name]
        # Those that were published see no further than the lane before the stop line.
        stage = greedy(
            rule, junction.stages.states, junction.bare, self._eyes.queues(junction.bare)
        )
        old, new = self._state(name), junction.stages.states[stage]
        between = "".join(
            "y" if a in GREEN and b not in GREEN else a for a, b in zip(old, new, strict=True)
        )
        kept.holds = True
        if old != new:
            self._set(name, between)
            kept.bare = [(now + BARE_YELLOW_S if "y" in between else now, new)]

    def _look_for_waiting(self) -> None:
        vehicle = self._lib.vehicle
        for i in vehicle.getIDList():
            self.longest_wait = max(self.longest_wait, vehicle.getAccumulatedWaitingTime(i))
        for i in self._lib.simulation.getPendingVehicles():
            self.longest_wait = max(self.longest_wait, vehicle.getDepartDelay(i))

    def _set(self, name: str, state: str) -> None:
        self._lib.trafficlight.setRedYellowGreenState(name, state)

    def _state(self, name: str) -> str:
        return str(self._lib.trafficlight.getRedYellowGreenState(name))

    def _now(self) -> float:
        return float(self._lib.simulation.getTime())


def _longer(stages: Stages, kept: Kept) -> tuple[int, float]:
    """Which green of the cycle that runs is longer than ordered, and by how much."""
    if kept.runs is None:
        return 0, 0.0
    # A cabinet looks how late it is when it shows the new cycle: at a whole second.
    return kept.runs.stretched(float(cycle_s(stages, kept.runs)), math.ceil(kept.began - SLACK))


def _place(stages: Stages, kept: Kept, now: float) -> int | None:
    """The stage that the cycle that runs is at, or goes to; None when it is over."""
    if kept.runs is None:
        return None
    return place_in(stages, kept.runs, now - kept.began + SLACK, _longer(stages, kept))
