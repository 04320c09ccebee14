"""What detectors before and behind stop lines see, asked of SUMO in its own process."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple, final

from gemeos.twins.traffic.signals.approaches import REACH_M, Approach
from gemeos.twins.traffic.signals.rules import HALTED_M_PER_S, Queue

ROOM_M: Final = 6.5
"""That a vehicle takes up in a queue, its distance to the next included."""


class _Vehicle(NamedTuple):
    position_m: float
    speed: float
    stood_s: float


@final
class Eyes:
    """Looks at lanes; each at most once in a step."""

    def __init__(self, lib: Any, reach_m: float = REACH_M) -> None:  # noqa: ANN401 - libsumo has no types
        self._lane = lib.lane
        self._vehicle = lib.vehicle
        self._reach = reach_m
        self._seen: dict[str, list[_Vehicle]] = {}
        self._counted: dict[str, int] = {}
        self._rooms: dict[str, tuple[tuple[str, float], ...]] = {}

    def blink(self) -> None:
        """A step has passed: what was seen is old."""
        self._seen.clear()
        self._counted.clear()

    def queues(self, lanes: Sequence[Approach], *, behind: bool = True) -> list[Queue]:
        """Before each stop line, within reach. Nobody's destination is known.

        Args:
            lanes: Before the stop lines.
            behind: Whether those are looked at that stand where each link leads.
        """
        return [self._queue(lane, behind=behind) for lane in lanes]

    def _queue(self, lane: Approach, *, behind: bool) -> Queue:
        queue = Queue()
        reach, places, speeds = self._reach, queue.distance_m, queue.speed
        shares, stood = queue.share, queue.stood_s
        for stretch in lane.stretches:
            beyond = stretch.ahead_m + stretch.length_m
            for position, speed, stands in self._on(stretch.lane):
                if beyond - position < reach:
                    places.append(beyond - position)
                    speeds.append(speed)
                    shares.append(stretch.share)
                    stood.append(stands)
        if len(lane.stretches) > 1 and places:
            rows = sorted(zip(places, speeds, shares, stood, strict=True))
            places[:], speeds[:], shares[:], stood[:] = map(list, zip(*rows, strict=True))
        if places:
            queue.fullest = self._fullest(lane)
        if behind:
            queue.behind = [self._halted(way[0].lane) for way in lane.leads_to]
        return queue

    def _fullest(self, lane: Approach) -> float:
        rooms = self._rooms.get(lane.lane)
        if rooms is None:
            lengths = {way[0].lane: way[0].length_m for way in lane.leads_to}
            rooms = tuple((i, max(length / ROOM_M, 1.0)) for i, length in lengths.items())
            self._rooms[lane.lane] = rooms
        most = 0.0
        for i, room in rooms:
            count = self._counted.get(i)
            if count is None:
                count = self._counted[i] = self._lane.getLastStepVehicleNumber(i)
            most = max(most, count / room)
        return min(most, 1.0)

    def _halted(self, lane: str) -> float:
        return float(
            sum(v.speed < HALTED_M_PER_S and v.position_m < self._reach for v in self._on(lane))
        )

    def _on(self, lane: str) -> list[_Vehicle]:
        """Of one lane, the foremost first."""
        found = self._seen.get(lane)
        if found is None:
            of = self._vehicle
            found = []
            for i in reversed(self._lane.getLastStepVehicleIDs(lane)):
                speed = of.getSpeed(i)
                stood = of.getWaitingTime(i) if speed < HALTED_M_PER_S else 0.0
                found.append(_Vehicle(of.getLanePosition(i), speed, stood))
            self._seen[lane] = found
        return found
