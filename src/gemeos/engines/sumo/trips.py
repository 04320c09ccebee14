"""How trips fare, over the whole simulation: SUMO's own sums, carried across restores."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, final

import msgspec

from gemeos.engines.spec import Kind, Role, Value, Variable
from gemeos.engines.sumo.quantities import Lib

MEANS: Final = {
    "trips.duration": ("duration", "From departure to arrival."),
    "trips.time_loss": ("timeLoss", "Against a free road."),
    "trips.depart_delay": ("departDelay", "Between the planned and the real departure."),
    "trips.waiting_time": ("waitingTime", "Standing."),
}
MILLISECOND: Final = 1e-3
DELAY: Final = "trips.delay"
COUNTS: Final = {
    "vehicles.running": ("running", "On the road."),
    "vehicles.departed": ("inserted", "So far."),
    "vehicles.waiting": ("waiting", "Due, and not on the road for want of room."),
}
ARRIVED: Final = "vehicles.arrived"
NAMES: Final = frozenset({*MEANS, DELAY, *COUNTS, ARRIVED})


class Sums(msgspec.Struct):
    """Of the trips that arrived before the last restore; seconds."""

    arrived: int = 0
    of: dict[str, float] = {}


@final
class Trips:
    """Reads the statistics of all trips."""

    def __init__(self, lib: Lib) -> None:
        self._lib = lib
        self.before = Sums(0, {})

    @staticmethod
    def variables() -> Iterator[Variable]:
        """SUMO tells means cut to milliseconds; so a mean after a restore may be one off."""
        for name, (_, about) in MEANS.items():
            told = f"{about} Mean of all that arrived."
            yield Variable(name, Role.OUTPUT, "s", resolution=2 * MILLISECOND, about=told)
        yield Variable(
            DELAY,
            Role.OUTPUT,
            "s",
            resolution=3 * MILLISECOND,
            about="Time loss and depart delay, mean of all vehicles: those under way and those "
            "that found no room to depart count with what they have lost so far.",
        )
        for name, (_, about) in COUNTS.items():
            yield Variable(name, Role.OUTPUT, kind=Kind.INTEGER, about=about)
        yield Variable(ARRIVED, Role.OUTPUT, kind=Kind.INTEGER, about="So far.")

    def sums(self) -> Sums:
        """Of all that arrived until now."""
        since = self._since()
        of = {name: self._sum(name, since) for name in MEANS}
        return Sums(self.before.arrived + since, of)

    def read(self, name: str) -> Value:
        """What ``name``, one of ``NAMES``, is now."""
        if name in COUNTS:
            key = f"stats.vehicles.{COUNTS[name][0]}"
            return int(self._lib.simulation.getParameter("", key))
        since = self._since()
        arrived = self.before.arrived + since
        if name == ARRIVED:
            return arrived
        if name == DELAY:
            return self._delay(arrived, since)
        return self._sum(name, since) / arrived if arrived else 0.0

    def _delay(self, arrived: int, since: int) -> float:
        lib = self._lib
        total = self._sum("trips.time_loss", since) + self._sum("trips.depart_delay", since)
        running = (*lib.vehicle.getIDList(), *lib.vehicle.getTeleportingIDList())
        waiting = lib.simulation.getPendingVehicles()
        total += sum(lib.vehicle.getTimeLoss(v) for v in running)
        total += sum(lib.vehicle.getDepartDelay(v) for v in (*running, *waiting))
        vehicles = arrived + len(running) + len(waiting)
        return total / vehicles if vehicles else 0.0

    def _since(self) -> int:
        return int(self._lib.simulation.getParameter("", "device.tripinfo.count"))

    def _sum(self, name: str, since: int) -> float:
        key = f"device.tripinfo.{MEANS[name][0]}"
        mean = float(self._lib.simulation.getParameter("", key)) if since else 0.0
        return self.before.of.get(name, 0.0) + mean * since
