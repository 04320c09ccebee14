"""One signal as it runs: what it shows, since when, and where it may go next within its limits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Final, final

import msgspec

from gemeos.twins.traffic.network import GREEN
from gemeos.twins.traffic.signals.limits import RANK
from gemeos.twins.traffic.signals.stages import Stages

LONG_AGO: Final = -1e9


class Seen(msgspec.Struct):
    """What a signal has shown, as far as its limits ask. Plain, so that it can be written down."""

    state: str
    green_since: list[float]
    """By link; of the run that lasts or was last."""
    green_until: list[float]
    """By link: when green ended last."""
    ended: dict[str, float]
    """By link and letter, as in ``"3G"``: when it was shown last."""
    walking_since: list[float]
    """By walk; far in the future while nobody walks."""
    walked_until: list[float]
    """By walk: when people could set off last, and still finish."""
    stage: int = -1
    """Which green is shown; -1 for none of the signal's stages."""
    since: float = 0.0
    """When the stage began."""
    left: list[str] = []
    """States still to come before the next stage, one a second."""
    next: int = -1


NEVER: Final = 1e12


@final
@final
class Light:
    """Follows a signal from second to second, and says what may follow."""

    def __init__(self, stages: Stages, state: str, now: float, seen: Seen | None = None) -> None:
        """A signal that shows ``state``; what it showed before is not known, or is ``seen``."""
        self.stages = stages
        size = stages.limits.size
        self.seen = seen or Seen(
            state="",
            green_since=[now] * size,
            green_until=[now] * size,
            ended={},
            walking_since=[NEVER] * len(stages.limits.walks),
            walked_until=[now] * len(stages.limits.walks),
        )
        self._released: list[float] = []
        self._latest: tuple[float, int] = (NEVER, -1)
        if seen is None:
            self.look(state, now)
        else:
            self._arrive(seen.since)

    def look(self, state: str, now: float) -> None:
        """``state`` is shown from ``now`` on, or still."""
        seen = self.seen
        old = seen.state
        if state == old:
            return
        for i, letter in enumerate(state):
            was = old[i] if old else "r"
            if was in GREEN and was != letter:
                seen.ended[f"{i}{was}"] = now
                if letter not in GREEN:
                    seen.green_until[i] = now
            if letter in GREEN and was not in GREEN:
                seen.green_since[i] = now
        self._look_at_walks(state, now)
        seen.state = state
        stage = self._places.get(state, -1)
        if stage != seen.stage:
            seen.stage, seen.since = stage, now
            self._arrive(now)

    def _look_at_walks(self, state: str, now: float) -> None:
        seen = self.seen
        for k, walk in enumerate(self.stages.limits.walks):
            if walk.is_blocked(state):
                if seen.walking_since[k] < NEVER:
                    seen.walked_until[k] = max(now - walk.clears_s, seen.walking_since[k])
                seen.walking_since[k] = NEVER
            elif seen.walking_since[k] == NEVER and state in walk.served_by:
                seen.walking_since[k] = now

    @property
    def is_changing(self) -> bool:
        """Whether it is between two stages."""
        return bool(self.seen.left) or self.seen.stage < 0

    def go(self, stage: int, stages: Stages | None = None) -> None:
        """Begin the way to that stage; the next ``step`` shows its first second.

        Args:
            stage: Its number.
            stages: Whose ways are gone; the signal's own where left out.
        """
        seen = self.seen
        between = (stages or self.stages).between
        seen.left = [*between[seen.stage][stage], self.stages.states[stage]]
        seen.next = stage

    def step(self, now: float) -> str:
        """What is to be shown in the second that begins ``now``."""
        seen = self.seen
        if seen.left:
            self.look(seen.left.pop(0), now)
        return seen.state

    def wait(self, stage: int, now: float) -> float:
        """Seconds until ``stage`` can be green, if it is gone to as soon as may be."""
        if stage == self.seen.stage:
            return 0.0
        between = self.stages.between[self.seen.stage][stage]
        return max(self._released[stage] - now, 0.0) + len(between)

    def may_go(self, stage: int, now: float) -> bool:
        """Whether the way to that stage may begin now."""
        return stage != self.seen.stage and now >= self._released[stage]

    def may_leave(self, now: float) -> bool:
        """Whether the way to any stage may begin now."""
        return any(now >= at for at in self._released)

    @property
    def free_at(self) -> float:
        """When the way to every other stage may begin."""
        return max((at for at in self._released if at < NEVER), default=LONG_AGO)

    def forced(self, now: float) -> int:
        """The stage that must come next, now, so that nobody has red for too long; -1 for none."""
        latest, stage = self._latest
        return stage if now + 1 > latest else -1

    def stays_feasible(self, stage: int, now: float) -> bool:
        """Whether everybody can still be served in time after going to ``stage`` now."""
        arrive = now + len(self.stages.between[self.seen.stage][stage])
        latest, _ = self._plan(stage, now)
        return latest >= arrive + self._least[stage]

    def _arrive(self, now: float) -> None:
        stage = self.seen.stage
        if stage < 0:
            self._released, self._latest = [], (NEVER, -1)
            return
        self._released = [self._release(stage, q) for q in range(len(self.stages.states))]
        self._latest = self._plan(stage, now)

    @cached_property
    def _places(self) -> dict[str, int]:
        return {state: place for place, state in enumerate(self.stages.states)}

    @cached_property
    def _least(self) -> Sequence[float]:
        return self.stages.least

    def _release(self, here: int, there: int) -> float:
        """The earliest time to leave one stage for another."""
        if here == there:
            return NEVER
        limits, seen = self.stages.limits, self.seen
        old, new = self.stages.states[here], self.stages.states[there]
        between = self.stages.between[here][there]
        takes, first = len(between), LONG_AGO
        ends = {
            i
            for i, was in enumerate(old)
            if was in GREEN and {s[i] for s in (*between, new)} - GREEN
        }
        for i, (was, now) in enumerate(zip(old, new, strict=True)):
            if i in ends:
                first = max(first, seen.green_since[i] + limits.minimum_green_s[i])
            if RANK.get(now, 0) > RANK.get(was, 0):
                for c in limits.foes[i]:
                    for letter in "Gg":
                        end = seen.ended.get(f"{c.first}{letter}", LONG_AGO)
                        if letter + now not in c.together:
                            first = max(first, end + c.apart_s - takes)
        for k, walk in enumerate(limits.walks):
            if seen.walking_since[k] < NEVER and walk.is_blocked(new):
                first = max(first, seen.walking_since[k] + walk.needs_s - takes)
        return first

    def _plan(self, stage: int, now: float) -> tuple[float, int]:
        """How long ``stage`` may last so that all can be served in time, and what then.

        One stage after the other is gone through, in the order in which links, and those who walk,
        are due.
        """
        stages = self.stages
        latest, first, here, offset = NEVER, -1, stage, 0.0
        gone = {stage}
        for at, serving in sorted(self._due(now)):
            if gone.intersection(serving):
                continue
            there = serving[0]
            offset += len(stages.between[here][there])
            latest = min(latest, at - offset)
            first = there if first < 0 else first
            offset += stages.least[there]
            here = there
            gone.add(there)
        return latest, first

    def _due(self, now: float) -> Iterator[tuple[float, tuple[int, ...]]]:
        """By when each link and each crossing must be served, and by which stages, best first."""
        limits, seen = self.stages.limits, self.seen
        for i in limits.served:
            since = now if seen.state[i] in GREEN else seen.green_until[i]
            if serving := self.stages.serving.get(i):
                yield since + limits.longest_red_s, serving
        for k, walk in enumerate(limits.walks):
            since = seen.walked_until[k]
            if seen.walking_since[k] < NEVER:
                since = max(now - walk.clears_s, seen.walking_since[k])
            if serving := self.stages.walking[k]:
                yield since + limits.maximum_wait_s, serving
