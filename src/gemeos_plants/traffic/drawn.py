"""What nobody knows of the district: drawn once, from the system's entropy, and kept in memory."""

from __future__ import annotations

import math
import random
import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final

MODELS: Final = ("IDM", "EIDM")
"""Car-following models of SUMO that are not its usual one, Krauss."""
TYPES: Final = 3
WAVES: Final = (1.0, 2.5, 6.0)
"""Hours that the waves of demand last."""


@dataclass(frozen=True, slots=True)
class Drivers:
    """One sort of vehicles with their drivers."""

    share: float
    length_m: float
    gap_m: float
    """Bumper to bumper, standing."""
    headway_s: float
    accelerate: float
    """m/s2."""
    brake: float
    """m/s2, comfortable."""
    speed_factor: float
    """Mean of what they make of the limit."""
    speed_spread: float


@dataclass(frozen=True, slots=True)
class Wave:
    """One of the waves that demand goes by."""

    height: float
    hours: float
    ahead: float
    """In turns."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """One reality."""

    model: str
    drivers: tuple[Drivers, ...]
    scale: float
    """Vehicles for each of the district's files."""
    waves: tuple[Wave, ...]
    pair_spread: float
    """Standard deviation of the logarithm by which pairs of ends differ from the files'."""
    cost_spread: float
    """The same, of what a road costs whoever chooses a way."""
    ways: int
    """How many ways a pair of ends is given, each by costs of its own."""
    seed: int
    """Of all that is drawn later: departures, choices, SUMO's own chances."""

    def demand(self, hours: float) -> float:
        """Of the files' demand, the share that comes that long after the beginning."""
        waves = (w.height * math.sin(2 * math.pi * (hours / w.hours + w.ahead)) for w in self.waves)
        return self.scale * math.exp(sum(waves))

    def told(self) -> dict[str, object]:
        """All of it, for whoever scores when all is over."""
        return asdict(self)


def draw() -> Drawn:
    """A reality that cannot be drawn again."""
    return drawn_from(random.Random(secrets.randbits(256)))  # noqa: S311 -- seeded by the system


def drawn_from(chance: random.Random) -> Drawn:
    """A reality by these chances."""
    shares = [chance.uniform(0.5, 1.5) for _ in range(TYPES)]
    lorries = chance.uniform(0.02, 0.12)
    cars = [
        Drivers(
            share=(1 - lorries) * share / sum(shares),
            length_m=chance.uniform(3.9, 5.0),
            gap_m=chance.uniform(1.3, 2.5),
            headway_s=chance.uniform(0.8, 1.3),
            accelerate=chance.uniform(1.4, 2.6),
            brake=chance.uniform(2.0, 3.5),
            speed_factor=chance.uniform(0.9, 1.1),
            speed_spread=chance.uniform(0.05, 0.15),
        )
        for share in shares
    ]
    lorry = Drivers(
        share=lorries,
        length_m=chance.uniform(8.0, 14.0),
        gap_m=chance.uniform(2.0, 3.5),
        headway_s=chance.uniform(1.3, 2.0),
        accelerate=chance.uniform(0.8, 1.3),
        brake=chance.uniform(1.8, 3.0),
        speed_factor=chance.uniform(0.8, 1.0),
        speed_spread=chance.uniform(0.03, 0.1),
    )
    return Drawn(
        model=chance.choice(MODELS),
        drivers=(*cars, lorry),
        scale=chance.uniform(0.7, 1.0),
        waves=tuple(Wave(chance.uniform(0.02, 0.12), hours, chance.random()) for hours in WAVES),
        pair_spread=chance.uniform(0.1, 0.35),
        cost_spread=chance.uniform(0.1, 0.35),
        ways=chance.randint(2, 4),
        seed=chance.getrandbits(31),
    )


def chosen(chance: random.Random, drivers: Sequence[Drivers]) -> int:
    """Number of the sort that the next vehicle is of."""
    return chance.choices(range(len(drivers)), [d.share for d in drivers])[0]
