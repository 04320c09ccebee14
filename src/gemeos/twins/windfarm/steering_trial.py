"""Our searches on FLORIS's model, beside FLORIS's own optimiser, in the same run.

Turbines are NREL's 5 MW, five diameters of 126 m apart, at 8 m/s with a turbulence of 6 %; yaw
from -25 to 25 degrees. Known of FLORIS 4.7's ``YawOptimizationSR``: three in a row 25, 23 and 0
degrees, +21.4 %; nine in a square over 72 directions +3.9 %.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

import numpy as np
from jaxtyping import Float64

from gemeos.engines.floris import Floris
from gemeos.errors import SettingsError
from gemeos.foresee.goal import Goal, Samples
from gemeos.foresee.search import Members, Method, search
from gemeos.foresee.space import Candidate, Continuous, Space
from gemeos.foresee.verdict import Verdict, verdict

if TYPE_CHECKING:
    from gemeos.engines.floris import Steady

APART: Final = 5 * 126.0
ROW: Final = Floris(places=tuple((APART * i, 0.0) for i in range(3)))
SQUARE: Final = Floris(places=tuple((APART * i, APART * j) for i in range(3) for j in range(3)))
SPEED: Final = 8.0
TURBULENCE: Final = 0.06
MOST: Final = 25.0
GOAL: Final = Goal.of({"power": "kW"}, maximise="power")
WEST: Final = 270.0
UNSURE_DEG: Final = 5.0


@dataclass(frozen=True, slots=True, eq=False)
class Yaws:
    """A plan of ours, and what FLORIS finds."""

    method: str
    ours: Float64[np.ndarray, "direction turbine"]
    our_gain: float
    """Of power, as a share of that with no turbine turned."""
    its_gain: float


def steady(floris: Floris) -> Steady:
    """FLORIS's model of it.

    Raises:
        SettingsError: the extra is not installed.
    """
    if find_spec("floris") is None:
        raise SettingsError("Searches for yaw angles need FLORIS: pip install 'gemeos[floris]'.")
    from gemeos.engines.floris import Steady  # noqa: PLC0415 -- an extra

    return Steady(floris)


def farm_power(
    model: Steady,
    direction: Float64[np.ndarray, " state"],
    yaw: Float64[np.ndarray, "state turbine"],
) -> Float64[np.ndarray, " state"]:
    """Of all turbines together, in kW."""
    speed, turbulence = np.full(len(yaw), SPEED), np.full(len(yaw), TURBULENCE)
    return model.power(direction, speed, turbulence, yaw).sum(axis=1)


def by_floris(
    model: Steady, direction: Float64[np.ndarray, " state"]
) -> Float64[np.ndarray, "state turbine"]:
    """The plan of its own optimiser for each direction."""
    from gemeos.engines.floris.refined import refined  # noqa: PLC0415 -- an extra

    speed, turbulence = np.full(len(direction), SPEED), np.full(len(direction), TURBULENCE)
    return refined(model, direction, speed, turbulence, most=MOST)


def space(order: Sequence[int]) -> Space:
    """Which turbines are turned, in which order where that matters."""
    return Space(tuple(Continuous(f"T{i}", -MOST, MOST, "deg") for i in order))


def yaws(candidates: Sequence[Candidate], turbines: int) -> Float64[np.ndarray, "state turbine"]:
    """What is not named is not turned."""
    return np.array([[float(c.get(f"T{i}", 0.0)) for i in range(turbines)] for c in candidates])


def three_in_a_row() -> list[Yaws]:
    """Wind from the west along three turbines: what CMA-ES and serial refinement of ours find."""
    model, west = steady(ROW), np.array([WEST])

    def evaluate(candidates: Sequence[Candidate], members: Members) -> Samples:
        power = farm_power(model, np.repeat(west, len(candidates)), yaws(candidates, 3))
        return _sure(power, members)

    def gain(yaw: Float64[np.ndarray, "one turbine"]) -> float:
        return float(farm_power(model, west, yaw)[0] / farm_power(model, west, 0.0 * yaw)[0] - 1)

    its = gain(by_floris(model, west))
    found = []
    for method, runs in ((Method.CMA, 180), (Method.SERIAL, 60)):
        best = search(space(range(3)), GOAL, evaluate, runs=runs, seed=1, method=method)
        ours = yaws(best.finalists[:1], 3)
        found.append(Yaws(method.value, ours, gain(ours), its))
    return found


def _sure(power: Float64[np.ndarray, " candidate"], members: Members) -> Samples:
    """What is the same for all members."""
    parts = np.repeat(power[:, None, None], members.count, axis=2)
    return Samples(parts, np.empty((len(power), 0, members.count)))


class Together:
    """Puts what several searches ask at one time into one call of FLORIS.

    What one is answered does not depend on what the others ask, nor on who asks first.
    """

    def __init__(self, model: Steady, direction: Float64[np.ndarray, " search"]) -> None:
        """One search for each direction."""
        self._model, self._direction = model, direction
        self._asked: dict[int, Float64[np.ndarray, "state turbine"]] = {}
        self._told: dict[int, Float64[np.ndarray, " state"]] = {}
        self._busy = len(direction)
        self._change = threading.Condition()

    def ask(
        self, which: int, yaw: Float64[np.ndarray, "state turbine"]
    ) -> Float64[np.ndarray, " state"]:
        """Power of each plan, of the search with that number."""
        with self._change:
            self._asked[which] = yaw
            self._work()
            self._change.wait_for(lambda: which in self._told)
            return self._told.pop(which)

    def leave(self) -> None:
        """One search is over."""
        with self._change:
            self._busy -= 1
            self._work()

    def _work(self) -> None:
        if not self._asked or len(self._asked) < self._busy:
            return
        order = sorted(self._asked)
        sizes = [len(self._asked[i]) for i in order]
        direction = np.repeat(self._direction[order], sizes)
        power = farm_power(self._model, direction, np.concatenate([self._asked[i] for i in order]))
        self._told |= dict(zip(order, np.split(power, np.cumsum(sizes)[:-1]), strict=True))
        self._asked.clear()
        self._change.notify_all()


def searched(
    model: Steady, direction: Float64[np.ndarray, " search"], runs: int
) -> Float64[np.ndarray, "search turbine"]:
    """Our plan for each direction, each by a search of its own, first turbine in the wind first."""
    together, places = Together(model, direction), np.array(SQUARE.places)

    def one(which: int) -> Float64[np.ndarray, " turbine"]:
        heading = math.radians(direction[which])
        along = places @ -np.array([math.sin(heading), math.cos(heading)])

        def evaluate(candidates: Sequence[Candidate], members: Members) -> Samples:
            power = together.ask(which, yaws(candidates, len(places)))
            return _sure(power, members)

        try:
            order = np.argsort(along, kind="stable").tolist()
            found = search(space(order), GOAL, evaluate, runs=runs, seed=1, method=Method.SERIAL)
        finally:
            together.leave()
        return yaws(found.finalists[:1], len(places))[0]

    with ThreadPoolExecutor(len(direction)) as pool:
        return np.array(list(pool.map(one, range(len(direction)))))


def nine_over_all_directions(runs: int = 170) -> Yaws:
    """A square of nine; turned by 90 degrees it is itself: 18 of 72 directions have their mean.

    Args:
        runs: Of FLORIS, for each direction.
    """
    model, direction = steady(SQUARE), np.arange(0.0, 90.0, 5.0)
    before = farm_power(model, direction, np.zeros((len(direction), 9))).mean()
    its = farm_power(model, direction, by_floris(model, direction)).mean() / before - 1.0
    found = searched(model, direction, runs)
    ours = farm_power(model, direction, found).mean() / before - 1.0
    return Yaws(Method.SERIAL.value, found, float(ours), float(its))


def uncertain_wind() -> Verdict:
    """The plan for a wind of 270 +- 5 degrees beside FLORIS's for 270, on 1,024 fresh members."""
    model = steady(ROW)

    def evaluate(candidates: Sequence[Candidate], members: Members) -> Samples:
        numbers = range(members.first, members.end)
        off = [np.random.default_rng([int(members.fresh), n]).normal() for n in numbers]
        direction = np.tile(WEST + UNSURE_DEG * np.array(off), len(candidates))
        yaw = np.repeat(yaws(candidates, 3), members.count, axis=0)
        power = farm_power(model, direction, yaw).reshape(len(candidates), 1, members.count)
        return Samples(power, np.empty((len(candidates), 0, members.count)))

    sure = by_floris(model, np.array([WEST]))[0]
    deterministic = Candidate.of({f"T{i}": float(v) for i, v in enumerate(sure)})
    found = search(
        space(range(3)),
        GOAL,
        evaluate,
        runs=250,
        seed=1,
        method=Method.CMA,
        start=deterministic,
        block=32,
    )
    return verdict(
        GOAL,
        found.finalists[:1],
        evaluate,
        members=Members(0, 1024, fresh=True),
        seed=1,
        present=deterministic,
    )
