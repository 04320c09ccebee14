"""Which moment a district's files speak of: where cycles stand, and when demand rises and falls."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from gemeos.engines.spec import Value
from gemeos.engines.sumo.inside import BEGIN
from gemeos.twins.traffic.demand.rhythm import Rhythm, rhythm_of
from gemeos.twins.traffic.demand.ways import departures_of
from gemeos.twins.traffic.district import District
from gemeos.units import instant
from gemeos.units.instant import SECOND, Instant

DAY_S: Final = 86_400
LONGEST_S: Final = 10_000_000
"""Within which all fixed cycles begin together again; where they do not, a day has to do."""


@dataclass(frozen=True, slots=True)
class Calendar:
    """Turns instants into the model's own time.

    That has no time before nought, and what lives has. So it is later, by as many seconds as bring
    all fixed cycles back to where they stand.
    """

    begins: Instant
    """What ``begin_s`` stands for."""
    begin_s: float
    shift_s: float

    @classmethod
    def of(cls, district: District, begins: str) -> Calendar:
        """Of a district whose files begin at that moment.

        Raises:
            InputError: that is no moment.
        """
        cycles = {round(1000 * s.program.cycle_s) for s in district.signals.values()}
        together = math.lcm(*cycles - {0}) / 1000
        once = together if together <= LONGEST_S else DAY_S
        return cls(instant(begins), district.begin_s, once * math.ceil(DAY_S / once))

    def begin(self, at: Instant) -> Mapping[str, Value]:
        """What a simulation that begins at ``at`` is told."""
        now = self.begin_s + self.shift_s + (at - self.begins) / SECOND
        return {BEGIN: now if now >= 0 else now % self.shift_s}

    def rhythm(self, district: District) -> Rhythm:
        """How demand rises and falls by the district's files, in the model's own time."""
        if not district.routes:
            return rhythm_of(())
        departures = departures_of(district.net, district.routes, district.additional)
        return rhythm_of([(at + self.shift_s, road) for at, road in departures])
