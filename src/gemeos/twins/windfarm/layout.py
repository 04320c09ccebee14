"""Where to put turbines before any stands: annual energy of a layout, and a search for a good one.

Energy as in IEA Wind Task 37, case study 1 (Baker et al. 2019, AIAA 2019-0540): steady wind from
each direction of a rose, the Gaussian wake of ``wake``, deficits added by squares. A turbine's
thrust goes by the free wind.

A layout has so many good places that differ so little that one search in all coordinates ends at
one of the poor ones. So one turbine after the other is put to the best of many spots, all over the
ground, on its edge and about where it stands, while the others stay (coordinate search); and where
nothing is gained any more some are dropped anew. The search goes on from there also if that is a
little worse, at first, and less and less so (iterated local search with the acceptance of
simulated annealing: Lourenco, Martin & Stutzle 2003, Handbook of Metaheuristics, 320-353). In the
end all are moved together by some metres, by ``foresee.search``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from jaxtyping import Float64

from gemeos.errors import InputError
from gemeos.foresee.goal import Goal, Samples
from gemeos.foresee.search import Members, Method, search
from gemeos.foresee.space import Candidate, Continuous, Space
from gemeos.twins.windfarm.wake import deficit

HOURS_A_YEAR: Final = 8760.0
LEVEL_M: Final = 1e-6
"""A turbine that is not further behind than this is not behind."""
ANYWHERE, EDGE, NEAR = 250, 100, 150
"""Spots that are tried for one turbine: all over the ground, on its edge, about where it stands."""
NEAR_M: Final = (1.5, 5.0, 20.0, 60.0, 150.0)
"""Spreads of the last."""
STALE: Final = 2
"""Rounds that gain next to nothing before turbines are dropped anew."""
NEXT_TO_NOTHING: Final = 1e-5
"""Of the energy."""
WORSE: Final = 0.0015
"""Share of the energy by which a layout may be worse at first for the search to go on from it."""
MOST_ROUNDS: Final = 40
DROPS: Final = 1000
"""Spots that are drawn for a turbine before the ground counts as full."""

ASIDE_M: Final = 15.0
"""How far turbines may be moved when all are moved together."""

_GOAL: Final = Goal.of(
    {"energy": "MW*h", "crowding": "m"},
    maximise="last(energy)",
    subject_to="P(crowding > 0 m) < 0.5",
)


@dataclass(frozen=True, eq=False)
class Rose:
    """How often the wind comes from where, and how fast."""

    direction_deg: Float64[np.ndarray, " direction"]
    frequency: Float64[np.ndarray, " direction"]
    """Shares of the year; they add up to one, but for rounding."""
    speed: Float64[np.ndarray, " direction"]
    """m/s."""

    def __post_init__(self) -> None:
        shapes = {self.direction_deg.shape, self.frequency.shape, self.speed.shape}
        if len(shapes) != 1 or not 0.98 < self.frequency.sum() < 1.02:
            raise InputError("A rose has a share and a speed for each direction; shares make 1.")


@dataclass(frozen=True)
class Machine:
    """A turbine as layouts see it."""

    diameter_m: float
    expansion: float
    """Of its wake, see ``wake.deficit``."""
    power_kw: Callable[[Float64[np.ndarray, "..."]], Float64[np.ndarray, "..."]]
    """By wind in m/s."""
    thrust: Callable[[Float64[np.ndarray, "..."]], Float64[np.ndarray, "..."]]
    """Its coefficient, the same."""


@dataclass(frozen=True)
class Ground:
    """A circle, and how near two turbines may stand."""

    radius_m: float
    apart_m: float

    def holds(
        self, spots: Float64[np.ndarray, "spot 2"], others: Float64[np.ndarray, "turbine 2"]
    ) -> np.ndarray:
        """Whether a turbine may stand on each spot."""
        inside = (spots**2).sum(axis=1) <= self.radius_m**2
        away = ((spots[:, None] - others[None]) ** 2).sum(axis=2) >= self.apart_m**2
        return np.asarray(inside & away.all(axis=1))

    def crowding(self, places: Float64[np.ndarray, "turbine 2"]) -> float:
        """By how many metres the two that are nearest to each other are too near."""
        apart = np.sqrt(((places[:, None] - places[None]) ** 2).sum(axis=2))
        least = apart[~np.eye(len(places), dtype=bool)].min(initial=math.inf)
        return max(self.apart_m - float(least), 0.0)

    def anywhere(self, rng: np.random.Generator, count: int) -> Float64[np.ndarray, "spot 2"]:
        """Spots drawn evenly from all of it."""
        return self._at(rng, count, self.radius_m * np.sqrt(rng.random(count)))

    def on_edge(self, rng: np.random.Generator, count: int) -> Float64[np.ndarray, "spot 2"]:
        """Spots drawn evenly from its edge."""
        return self._at(rng, count, np.full(count, self._reach))

    def inside(self, spots: Float64[np.ndarray, "spot 2"]) -> Float64[np.ndarray, "spot 2"]:
        """The same, but for those beyond the edge: they are drawn to it."""
        far = np.hypot(spots[:, 0], spots[:, 1])
        return spots * np.minimum(1.0, self._reach / np.maximum(far, 1e-9))[:, None]

    @property
    def _reach(self) -> float:
        return self.radius_m * (1.0 - 1e-12)

    def _at(
        self, rng: np.random.Generator, count: int, radius: Float64[np.ndarray, " spot"]
    ) -> Float64[np.ndarray, "spot 2"]:
        turn = 2.0 * math.pi * rng.random(count)
        return np.stack([radius * np.cos(turn), radius * np.sin(turn)], axis=1)


@dataclass(frozen=True)
class Energy:
    """What layouts of equal machines give in a year."""

    rose: Rose
    machine: Machine

    def annual_mwh(self, places: Float64[np.ndarray, "turbine 2"]) -> float:
        """Of that layout; places are east and north in metres."""
        onto, _ = self._squares(places[:, None] - places[None, :])
        return float(self._given(onto.sum(axis=1)).sum())

    def with_one_at(
        self, spots: Float64[np.ndarray, "spot 2"], others: Float64[np.ndarray, "turbine 2"]
    ) -> Float64[np.ndarray, " spot"]:
        """Annual energy, MWh, of the others with one more, on each of these spots."""
        among, _ = self._squares(others[:, None] - others[None, :])
        onto, back = self._squares(others[None, :] - spots[:, None])
        behind = self._given(among.sum(axis=1) + onto).sum(axis=1)
        return behind + self._given(back.sum(axis=1))

    @cached_property
    def _flow(self) -> Float64[np.ndarray, "axis direction"]:
        heading = np.radians(self.rose.direction_deg)
        return -np.stack([np.sin(heading), np.cos(heading)])

    @cached_property
    def _thrust(self) -> Float64[np.ndarray, " direction"]:
        return np.asarray(self.machine.thrust(self.rose.speed), np.float64)

    def _squares(
        self, apart: Float64[np.ndarray, "*where 2"]
    ) -> tuple[Float64[np.ndarray, "*where direction"], Float64[np.ndarray, "*where direction"]]:
        """What the wakes of two so far apart take, squared: of the second, and of the first.

        In one wind only one of them is behind the other.
        """
        east, north = self._flow
        along = apart[..., :1] * east + apart[..., 1:] * north
        taken = deficit(
            np.abs(along),
            apart[..., :1] * north - apart[..., 1:] * east,
            thrust=self._thrust,
            expansion=np.array(self.machine.expansion),
            diameter=self.machine.diameter_m,
        )
        squares = taken**2
        return np.where(along > LEVEL_M, squares, 0.0), np.where(along < -LEVEL_M, squares, 0.0)

    def _given(
        self, squares: Float64[np.ndarray, "*where direction"]
    ) -> Float64[np.ndarray, "*where"]:
        """MWh a year of a turbine of whose wind wakes take the roots of that."""
        wind = self.rose.speed * (1.0 - np.sqrt(squares))
        mean = self.machine.power_kw(wind) @ self.rose.frequency
        return np.asarray(mean * HOURS_A_YEAR / 1000.0)


def placed(
    energy: Energy,
    ground: Ground,
    turbines: int,
    *,
    seed: int,
    tries: int = 24,
    polish: int = 4000,
    tell: Callable[[float], None] = lambda _best: None,
) -> Float64[np.ndarray, "turbine 2"]:
    """A good layout of so many turbines. The same arguments give the same one.

    Args:
        energy: What is to be large.
        ground: Where they may stand.
        turbines: How many.
        seed: Of all that is drawn.
        tries: How often some are dropped anew.
        polish: Layouts that are looked at in the end, when all are moved together.
        tell: Told the best energy so far, MWh, after each try.

    Raises:
        InputError: so many find no room, or there are none.
    """
    if turbines < 1:
        raise InputError(f"{turbines} turbines need no layout.")
    rng = np.random.default_rng(seed)
    best = here = _settled(energy, ground, _dropped(ground, np.empty((0, 2)), turbines, rng), rng)
    most = given = energy.annual_mwh(best)
    tell(most)
    for turn in range(tries):
        few = min(int(rng.integers(2, 5)), turbines)
        kept = here[rng.permutation(turbines)[few:]]
        other = _settled(energy, ground, _dropped(ground, kept, turbines, rng), rng)
        gives = energy.annual_mwh(other)
        if gives > given * (1.0 - WORSE * (1.0 - turn / tries)):
            here, given = other, gives
        if gives > most:
            best, most = other, gives
        tell(most)
    if polish:
        best = _polished(energy, ground, best, seed=seed, runs=polish)
    tell(energy.annual_mwh(best))
    return best


def _dropped(
    ground: Ground, places: Float64[np.ndarray, "some 2"], turbines: int, rng: np.random.Generator
) -> Float64[np.ndarray, "turbine 2"]:
    """The same with as many more as are missing, wherever there is room."""
    while len(places) < turbines:
        spots = ground.anywhere(rng, DROPS)
        free = np.flatnonzero(ground.holds(spots, places))
        if not len(free):
            raise InputError(
                f"{turbines} turbines find no room within {ground.radius_m:g} m, "
                f"{ground.apart_m:g} m apart: after {len(places)} it was full."
            )
        places = np.concatenate([places, spots[free[:1]]])
    return places


def _settled(
    energy: Energy,
    ground: Ground,
    places: Float64[np.ndarray, "turbine 2"],
    rng: np.random.Generator,
) -> Float64[np.ndarray, "turbine 2"]:
    """Each put to the best spot again and again, until nothing is gained."""
    places = places.copy()
    given, stale = energy.annual_mwh(places), 0
    for _ in range(MOST_ROUNDS):
        before = given
        for which in rng.permutation(len(places)).tolist():
            others = np.delete(places, which, axis=0)
            spots = _spots(ground, places[which], others, rng)
            places[which] = spots[int(energy.with_one_at(spots, others).argmax())]
        given = energy.annual_mwh(places)
        stale = stale + 1 if given - before < NEXT_TO_NOTHING * given else 0
        if stale == STALE:
            break
    return places


def _spots(
    ground: Ground,
    here: Float64[np.ndarray, " 2"],
    others: Float64[np.ndarray, "turbine 2"],
    rng: np.random.Generator,
) -> Float64[np.ndarray, "spot 2"]:
    """Where a turbine may stand: first where it does."""
    near = here + rng.normal(size=(NEAR, 2)) * rng.choice(NEAR_M, NEAR)[:, None]
    drawn = [ground.anywhere(rng, ANYWHERE), ground.on_edge(rng, EDGE), ground.inside(near)]
    spots = np.concatenate(drawn)
    return np.concatenate([here[None], spots[ground.holds(spots, others)]])


def _polished(
    energy: Energy,
    ground: Ground,
    places: Float64[np.ndarray, "turbine 2"],
    *,
    seed: int,
    runs: int,
) -> Float64[np.ndarray, "turbine 2"]:
    """The same with all moved together, by the search that plans are sought with."""
    axes = [f"{axis}{i}" for i in range(len(places)) for axis in ("east", "north")]
    space = Space(
        tuple(
            Continuous(name, float(at) - ASIDE_M, float(at) + ASIDE_M, "m")
            for name, at in zip(axes, places.reshape(-1), strict=True)
        )
    )

    def layout(candidate: Candidate) -> Float64[np.ndarray, "turbine 2"]:
        spots = np.array([float(candidate[name]) for name in axes]).reshape(-1, 2)
        return ground.inside(spots)

    def evaluate(candidates: Sequence[Candidate], members: Members) -> Samples:
        layouts = [layout(c) for c in candidates]
        given = np.array([[energy.annual_mwh(p)] for p in layouts])
        crowded = np.array([[ground.crowding(p)] for p in layouts])
        return _GOAL.samples(
            {
                "energy": (np.repeat(given, members.count, axis=1).reshape(1, -1), "MW*h"),
                "crowding": (np.repeat(crowded, members.count, axis=1).reshape(1, -1), "m"),
            },
            np.zeros(1, np.int64),
            candidates=len(candidates),
        )

    start = Candidate.of(dict(zip(axes, map(float, places.reshape(-1)), strict=True)))
    found = search(space, _GOAL, evaluate, runs=runs, seed=seed, method=Method.CMA, start=start)
    other = layout(found.finalists[0])
    better = energy.annual_mwh(other) > energy.annual_mwh(places)
    return other if better and ground.crowding(other) == 0.0 else places
