"""The cabinet of one signal: it runs its programmes, and obeys what its own rules allow.

Nothing that is ordered comes into force before a cycle ends, so no light is ever cut short. What
may differ from a programme is how long its stages last. Everything between stages, yellow and
clearing times among it, stays as the programme's makers have set it.

A programme that adapts itself to its traffic is run by SUMO until something else is ordered. What
is ordered then runs as fixed times, and SUMO has the signal back when a cycle of these is over.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

GREEN: Final = frozenset("Gg")
YELLOW: Final = frozenset("yYu")
SHORTEST_STAGE_S: Final = 5.0
"""A phase of green that is shorter is part of a change."""
ADAPT: Final = frozenset({"actuated", "delay_based"})
"""Kinds of programmes whose stages last as their traffic asks."""
LARGEST_STRETCH: Final = 0.25
"""Share of a cycle by which it is stretched at most to come back to its offset."""


class RefusedError(Exception):
    """What was ordered breaks a rule of this cabinet."""


@dataclass(frozen=True, slots=True)
class Phase:
    """A row of a programme."""

    duration_s: float
    state: str
    minimum_s: float | None = None
    maximum_s: float | None = None


@dataclass(frozen=True, slots=True)
class Program:
    """A cycle."""

    id: str
    phases: tuple[Phase, ...]
    offset_s: float = 0.0
    kind: str = "static"
    """SUMO's."""

    @property
    def adapts(self) -> bool:
        """Whether its stages last as their traffic asks."""
        return self.kind in ADAPT

    @property
    def shortest(self) -> tuple[float, ...]:
        """How short each phase may be when it runs by itself, in seconds."""
        return self._bounds([p.minimum_s for p in self.phases])

    @property
    def longest(self) -> tuple[float, ...]:
        """How long each may be."""
        return self._bounds([p.maximum_s for p in self.phases])

    def _bounds(self, told: Sequence[float | None]) -> tuple[float, ...]:
        of_phases = zip(self.durations, told, strict=True)
        return tuple(s if t is None or not self.adapts else t for s, t in of_phases)

    @property
    def durations(self) -> tuple[float, ...]:
        """Of its phases, in seconds."""
        return tuple(p.duration_s for p in self.phases)


@dataclass(frozen=True, slots=True)
class Rules:
    """What the cabinet holds to, whoever orders."""

    minimum_green_s: float = 5.0
    maximum_green_s: float = 120.0
    minimum_cycle_s: float = 30.0
    maximum_cycle_s: float = 180.0
    walking: Mapping[int, float] = field(default_factory=dict)
    """By place of a pedestrian light: the green that its crossing needs, seconds."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is to run."""

    program: int
    """Its number, as the district's files are read."""
    durations: tuple[float, ...]
    offset_s: float


class Controller:
    """Runs one signal, a step at a time."""

    def __init__(self, programs: Sequence[Program], rules: Rules, now_s: float) -> None:
        """Begin where the last of ``programs``, the fixed one, stands at ``now_s``."""
        self.programs = tuple(programs)
        self.rules = rules
        self._apart = apart(self.programs, rules)
        self.fixed = self._fixed(len(self.programs) - 1)
        self.runs = self.ordered = self.fixed
        self._phase, self._left = self._standing(now_s)
        self._spent = self.fixed.durations[self._phase] - self._left
        self._stretch = 0.0
        self.is_lent = self.programs[self.fixed.program].adapts
        """Whether SUMO runs it, by a programme that adapts itself."""
        self._shown = ""

    @property
    def state(self) -> str:
        """What its lights show."""
        if self.is_lent and self._shown:
            return self._shown
        return self.programs[self.runs.program].phases[self._phase].state

    @property
    def phase(self) -> int:
        """Number of the phase that it is in."""
        return self._phase

    def stages(self, program: int) -> tuple[int, ...]:
        """Numbers of the phases whose length may differ."""
        return stages_of(self.programs[program], self.rules)

    def order(
        self,
        *,
        program: int | None = None,
        durations: Sequence[float] | None = None,
        offset_s: float | None = None,
    ) -> Order:
        """Take an order, in force when the cycle ends.

        Raises:
            RefusedError: it breaks a rule, and nothing has changed.
        """
        number = self.ordered.program if program is None else program
        if not 0 <= number < len(self.programs):
            raise RefusedError(f"there are programmes 0 to {len(self.programs) - 1}, not {number}")
        same = number == self.ordered.program
        usual = self.ordered if same else self._fixed(number)
        wanted = Order(
            number,
            usual.durations if durations is None else tuple(map(float, durations)),
            usual.offset_s if offset_s is None else float(offset_s),
        )
        self._judge(wanted)
        self.ordered = wanted
        return wanted

    def fall_back(self) -> bool:
        """Order the fixed programme; of the same programme its times count at once.

        Returns:
            Whether anything else was ordered or ran.
        """
        changed = self.fixed not in (self.ordered, self.runs) or self.ordered != self.runs
        self.ordered = self.fixed
        if self.runs.program == self.fixed.program and self.runs != self.fixed:
            self._stretch = 0.0
            self.runs = self.fixed
            # At least as long as the fixed programme, whose greens are long enough. What is over
            # already lasts to the end of this second, so that what follows has its full time.
            rest = self.fixed.durations[self._phase] - self._spent
            self._left = rest if rest > 0 else 1.0
        return changed

    def follow(self, phase: int, state: str, step_s: float) -> None:
        """SUMO was in that phase in the step that is over. Take over if its cycle is.

        Args:
            phase: Its number.
            state: What was shown.
            step_s: How long.
        """
        over = phase == 0 and self._phase != 0
        self._phase, self._shown = phase, state
        if over and self.ordered != self.fixed:
            self.is_lent = False
            self.runs, self._stretch = self.ordered, 0.0
            self._spent, self._left = step_s, self.runs.durations[0] - step_s

    def advance(self, step_s: float, now_s: float) -> bool:
        """Go on by a step that ends at ``now_s``.

        Returns:
            Whether SUMO is to have the signal back.
        """
        self._left -= step_s
        self._spent += step_s
        while self._left <= 1e-9:
            self._phase += 1
            if self._phase == len(self.runs.durations):
                self._phase = 0
                self.runs = self.ordered
                if self.runs == self.fixed and self.programs[self.runs.program].adapts:
                    self.is_lent, self._shown = True, ""
                    return True
                self._stretch_to_offset(now_s)
            self._spent = -self._left
            self._left += self.runs.durations[self._phase]
            if self._phase == self._stretched:
                self._left += self._stretch
        return False

    @property
    def _stretched(self) -> int:
        """The phase that is stretched: the longest stage."""
        stages = self.stages(self.runs.program)
        return max(stages, key=lambda i: self.runs.durations[i], default=-1)

    def _stretch_to_offset(self, now_s: float) -> None:
        cycle = sum(self.runs.durations)
        behind = (self.runs.offset_s - now_s) % cycle
        longest = self._stretched
        room = self._most(longest) - self.runs.durations[longest] if longest >= 0 else 0.0
        free = self.rules.maximum_cycle_s - cycle
        self._stretch = max(0.0, min(behind, room, free, LARGEST_STRETCH * cycle))

    def _most(self, phase: int) -> float:
        told = self.programs[self.runs.program].phases[phase].maximum_s
        return self.rules.maximum_green_s if told is None else told

    def _standing(self, now_s: float) -> tuple[int, float]:
        """Phase and what is left of it, of the fixed programme at that time."""
        into = (now_s - self.fixed.offset_s) % sum(self.fixed.durations)
        for i, duration in enumerate(self.fixed.durations):
            if into < duration:
                return i, duration - into
            into -= duration
        return 0, self.fixed.durations[0]

    def _fixed(self, number: int) -> Order:
        program = self.programs[number]
        return Order(number, program.durations, program.offset_s)

    def _judge(self, wanted: Order) -> None:
        phases = self.programs[wanted.program].phases
        if wanted == self._fixed(wanted.program) and wanted.program == self.fixed.program:
            return
        if len(wanted.durations) != len(phases):
            raise RefusedError(
                f"the programme has {len(phases)} phases, not {len(wanted.durations)}"
            )
        if not all(map(math.isfinite, (*wanted.durations, wanted.offset_s))):
            raise RefusedError("that is no number of seconds")
        for i, (phase, seconds) in enumerate(zip(phases, wanted.durations, strict=True)):
            self._judge_phase(i, phase, seconds, may_differ=i in self.stages(wanted.program))
        cycle = sum(wanted.durations)
        low, high = self.rules.minimum_cycle_s, self.rules.maximum_cycle_s
        if not low <= cycle <= high and cycle != sum(p.duration_s for p in phases):
            raise RefusedError(f"a cycle of {cycle:g} s; it lasts {low:g} to {high:g} s")
        self._judge_walking(wanted, phases)
        for before in {self.runs.program, self.ordered.program} - {wanted.program}:
            self._judge_change(before, wanted.program)
        if wanted.program != self.fixed.program:
            # It has to find back by itself.
            self._judge_change(wanted.program, self.fixed.program)

    def may_differ(self, phase: int) -> bool:
        """Whether that phase of the programme that is ordered can be set."""
        return phase in self.stages(self.ordered.program)

    def _judge_phase(self, i: int, phase: Phase, seconds: float, *, may_differ: bool) -> None:
        if seconds == phase.duration_s:
            return
        if not may_differ:
            raise RefusedError(f"phase {i} is between stages, and lasts {phase.duration_s:g} s")
        told_low, told_high = phase.minimum_s, phase.maximum_s
        low = max(self.rules.minimum_green_s, told_low or 0.0)
        high = self.rules.maximum_green_s if told_high is None else told_high
        if not low <= seconds <= high:
            raise RefusedError(f"phase {i} lasts {low:g} to {high:g} s, not {seconds:g} s")

    def _judge_walking(self, wanted: Order, phases: Sequence[Phase]) -> None:
        for light, needed in self.rules.walking.items():
            usual = shortest_green(light, phases, [p.duration_s for p in phases])
            given = shortest_green(light, phases, wanted.durations)
            if given < min(needed, usual):
                raise RefusedError(
                    f"pedestrians at light {light} have {given:g} s; they need {needed:g} s"
                )

    def _judge_change(self, one: int, other: int) -> None:
        """Whether a cycle of one programme may be followed by the other's."""
        before, after = (shortened(self.programs[i], self.rules) for i in (one, other))
        for i, (was, comes) in enumerate(zip(before[-1].state, after[0].state, strict=True)):
            if was in GREEN and comes not in GREEN:
                raise RefusedError(f"light {i} would lose its green without yellow")
        left = gaps([*before, *after])
        for pair, needed in self._apart.items():
            if left.get(pair, math.inf) < needed:
                raise RefusedError(
                    f"light {pair[1]} would follow light {pair[0]} after "
                    f"{left[pair]:g} s; it needs {needed:g} s"
                )


def stages_of(program: Program, rules: Rules) -> tuple[int, ...]:
    """Numbers of the phases whose length may differ.

    Not of them are those in which who walks only finishes: cars have the green that they had
    before, and nobody is let go. Where there is one green alone, its length changes nothing.
    """
    phases = program.phases
    if sum(set(p.state) & GREEN != set() and not set(p.state) & YELLOW for p in phases) < 2:
        return ()
    return tuple(
        i
        for i, phase in enumerate(phases)
        if _is_stage(phase) and not _lets_finish(phases[i - 1], phase, rules)
    )


def _lets_finish(before: Phase, phase: Phase, rules: Rules) -> bool:
    if not rules.walking or set(before.state) & YELLOW or not set(before.state) & GREEN:
        return False
    lights = enumerate(zip(before.state, phase.state, strict=True))
    return all(
        now not in GREEN or was in GREEN if light in rules.walking else now == was
        for light, (was, now) in lights
    )


def _is_stage(phase: Phase) -> bool:
    shown = set(phase.state)
    if not shown & GREEN or shown & YELLOW:
        return False
    if phase.minimum_s is not None and phase.maximum_s is not None:
        return phase.maximum_s > phase.minimum_s
    return phase.duration_s >= SHORTEST_STAGE_S


def shortest_green(light: int, phases: Sequence[Phase], durations: Sequence[float]) -> float:
    """The shortest unbroken green of a light in a cycle that repeats."""
    green = [p.state[light] in GREEN for p in phases]
    if all(green) or not any(green):
        return math.inf
    first = green.index(False)
    runs, now = [], 0.0
    for i in [*range(first, len(green)), *range(first)]:
        if green[i]:
            now += durations[i]
        elif now:
            runs.append(now)
            now = 0.0
    return min([*runs, now] if now else runs)


def shortened(program: Program, rules: Rules) -> tuple[Phase, ...]:
    """Its phases, each stage as short as it may be made."""
    stages = stages_of(program, rules)
    return tuple(
        replace(p, duration_s=min(p.duration_s, max(rules.minimum_green_s, p.minimum_s or 0.0)))
        if i in stages
        else p
        for i, p in enumerate(program.phases)
    )


def apart(programs: Sequence[Program], rules: Rules) -> dict[tuple[int, int], float]:
    """Seconds from the end of one light's green to the beginning of another's, at least.

    Of lights that are green together in no programme: those are in conflict. The programmes that
    the cabinet came with are believed to be safe, with stages between two greens as short as they
    may be made.
    """
    lights = range(len(programs[0].phases[0].state))
    shown = {p.state for program in programs for p in program.phases}
    together = {
        (i, j) for s in shown for i in lights for j in lights if s[i] in GREEN and s[j] in GREEN
    }
    found: dict[tuple[int, int], float] = {}
    for program in programs:
        for pair, gap in gaps(2 * shortened(program, rules)).items():
            if pair not in together:
                found[pair] = min(gap, found.get(pair, math.inf))
    return found


def gaps(phases: Sequence[Phase]) -> dict[tuple[int, int], float]:
    """The least time between the end of light i's green and the beginning of light j's after it."""
    ended: dict[int, float] = {}
    found: dict[tuple[int, int], float] = {}
    now, before = 0.0, phases[0].state
    for phase in phases:
        for i, (was, shows) in enumerate(zip(before, phase.state, strict=True)):
            if was in GREEN and shows not in GREEN:
                ended[i] = now
        for j, (was, shows) in enumerate(zip(before, phase.state, strict=True)):
            if was not in GREEN and shows in GREEN:
                for i, since in ended.items():
                    if i != j:
                        found[i, j] = min(now - since, found.get((i, j), math.inf))
        now, before = now + phase.duration_s, phase.state
    return found
