"""How many have passed each detector so far: SUMO itself only tells it of its own intervals.

A vehicle counts in the step in which its rear leaves the loop for the road ahead. One that leaves
for another lane, or departs or arrives on the loop, does as well as SUMO says so. To see each, all
steps are looked at, one by one; that is why it has to be asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, final

from gemeos.engines.spec import Kind, Role, Variable
from gemeos.engines.sumo.quantities import Lib, ids_of, split

PASSED: Final = "passed"
_LEFT_AT: Final = 3
"""Place, in what libsumo tells of a vehicle at a loop, of when it left; below 0 while it stays."""


@final
class Passages:
    """Counts at every detector of the network."""

    def __init__(self, lib: Lib) -> None:
        self._lib = lib
        self.so_far: dict[str, int] = {}

    def variables(self) -> Iterator[Variable]:
        """A total for each."""
        for i in ids_of(self._lib, "detector"):
            yield Variable(
                f"detector.{i}.{PASSED}",
                Role.OUTPUT,
                kind=Kind.INTEGER,
                about="Vehicles so far.",
            )

    def read(self, name: str) -> int | None:
        """What ``name`` is now; None if it is no total."""
        group, i, quantity = split(name)
        return self.so_far.get(i, 0) if (group, quantity) == ("detector", PASSED) else None

    def look(self) -> None:
        """Count those of the step that was just made."""
        loops = self._lib.inductionloop
        for i in loops.getIDList():
            left = sum(vehicle[_LEFT_AT] >= 0 for vehicle in loops.getVehicleData(i))
            if left:
                self.so_far[i] = self.so_far.get(i, 0) + left
