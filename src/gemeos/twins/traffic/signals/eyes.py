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
        self._lib = lib
        self._reach = reach_m
        self._seen: dict[str, list[_Vehicle]] = {}

    def blink(self) -> None:
        """A step has passed: what was seen is old."""
        self._seen.clear()

    def queues(self, lanes: Sequence[Approach]) -> list[Queue]:
        """Before each stop line, within reach. Nobody's destination is known."""
        return [self._queue(lane) for lane in lanes]

    def _queue(self, lane: Approach) -> Queue:
        queue = Queue()
        found = []
        for stretch in lane.stretches:
            beyond = stretch.ahead_m + stretch.length_m
            for vehicle in self._on(stretch.lane):
                distance = beyond - vehicle.position_m
                if distance < self._reach:
                    found.append((distance, vehicle.speed, stretch.share, vehicle.stood_s))
        if len(lane.stretches) > 1:
            found.sort()
        for distance, speed, share, stood in found:
            queue.distance_m.append(distance)
            queue.speed.append(speed)
            queue.share.append(share)
            queue.stood_s.append(stood)
        for way in lane.leads_to:
            behind = self._on(way[0].lane)
            queue.behind.append(
                float(sum(v.speed < HALTED_M_PER_S and v.position_m < self._reach for v in behind))
            )
            queue.taken.append(min(len(behind) * ROOM_M / max(way[0].length_m, ROOM_M), 1.0))
        return queue

    def _on(self, lane: str) -> list[_Vehicle]:
        """Of one lane, the foremost first."""
        found = self._seen.get(lane)
        if found is None:
            of = self._lib.vehicle
            found = []
            for i in reversed(self._lib.lane.getLastStepVehicleIDs(lane)):
                speed = of.getSpeed(i)
                stood = of.getWaitingTime(i) if speed < HALTED_M_PER_S else 0.0
                found.append(_Vehicle(of.getLanePosition(i), speed, stood))
            self._seen[lane] = found
        return found
