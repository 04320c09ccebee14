"""CMA-ES: a normal distribution that moves to where candidates do well, and learns its shape.

Whole numbers are handled by its variant with a margin. Two things make it fit for noise. In one
generation all candidates have the same members, and the next generation has new ones, so that no
member's luck is learned. (Where there are constraints all generations have the same: a narrow
population breaks them alike under whatever members, and would drift over the border.) And what
is returned is where the distribution ended, held against other such places on members that none
of them has seen: never the candidate that looked best, since the best of many noisy values is
mostly noise.

References:
    Hansen & Ostermeier (2001), Evol. Comput. 9, 159-195; restarts with twice the population:
    Auger & Hansen (2005), Proc. IEEE CEC, 1769-1776; whole numbers: Hamano, Saito, Nomura &
    Shirakawa (2022), Proc. GECCO, 639-647.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from jaxtyping import Float64

from gemeos.ensemble.optional import needed
from gemeos.errors import InputError
from gemeos.foresee.search.base import MOST_FINALISTS, Found, Trials
from gemeos.foresee.search.halving import best_first
from gemeos.foresee.space import Candidate, Continuous, Integer, Space

STEP = 0.3
"""First standard deviation, as a share of each axis."""
GENERATIONS = 30
"""With one run a candidate; a budget that allows more has more runs of each, too."""
FEWEST_GENERATIONS = 10
KEPT_BACK = 0.1
"""Share of the runs for holding places against each other in the end."""
NARROW = 1e-6
"""Share of an axis below which a population is one place."""


class _Optimiser(Protocol):
    """``cmaes.CMAwM``, as it is used here. Places are shares of the axes."""

    @property
    def mean(self) -> Float64[np.ndarray, " axis"]: ...

    @property
    def population_size(self) -> int: ...

    def ask(self) -> tuple[Float64[np.ndarray, " axis"], Float64[np.ndarray, " axis"]]:
        """A place with its whole numbers rounded, and as it was drawn."""

    def tell(self, solutions: list[tuple[Float64[np.ndarray, " axis"], float]]) -> None:
        """Places as they were drawn, and their costs."""

    def should_stop(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class _Unit:
    """The space as a cube with edges 0..1."""

    axes: tuple[Continuous | Integer, ...]

    @staticmethod
    def of(space: Space) -> _Unit:
        axes = tuple(a for a in space.axes if isinstance(a, Continuous | Integer))
        if len(axes) < len(space.axes) or space.is_conditional:
            raise InputError(
                "This method moves in numbers of which none depends on another; "
                "this space has lists or conditions."
            )
        return _Unit(axes)

    @property
    def steps(self) -> Float64[np.ndarray, " axis"]:
        """Nought where every number may be."""
        return np.array(
            [1.0 / (a.most - a.least) if isinstance(a, Integer) else 0.0 for a in self.axes]
        )

    def candidate(self, place: Float64[np.ndarray, " axis"]) -> Candidate:
        chosen: dict[str, float | int] = {}
        for axis, share in zip(self.axes, np.clip(place, 0.0, 1.0).tolist(), strict=True):
            value = axis.least + share * (axis.most - axis.least)
            if isinstance(axis, Integer):
                chosen[axis.name] = round(value)
            else:
                chosen[axis.name] = min(max(value, axis.least), axis.most)
        return Candidate.of(chosen)

    def place(self, candidate: Candidate) -> Float64[np.ndarray, " axis"]:
        return np.array(
            [(float(candidate[a.name]) - a.least) / (a.most - a.least) for a in self.axes]
        )


def least_runs(space: Space) -> int:
    """Fewest runs with which it can begin: two generations, and one more to compare in the end."""
    return 3 * _population(len(space.axes))


def evolve(space: Space, trials: Trials, *, seed: int, start: Candidate | None = None) -> Found:
    """The best place of a space of numbers.

    Args:
        space: Numbers only; none depends on another.
        trials: Budget and evaluation.
        seed: Of the distribution's draws.
        start: Where it begins, and one of those compared in the end; else the middle.

    Raises:
        InputError: the space has lists or conditions, or the budget is too small.
    """
    cube = _Unit.of(space)
    if start is not None:
        space.check(start)
    if trials.left < least_runs(space):
        raise InputError(
            f"A search over {len(cube.axes)} numbers needs at least {least_runs(space)} runs; "
            f"{trials.left} are allowed."
        )
    rng = np.random.default_rng(seed)
    kept_back = max(math.ceil(KEPT_BACK * trials.runs), _population(len(cube.axes)))
    middle = np.full(len(cube.axes), 0.5) if start is None else cube.place(start)
    ends: list[Candidate] = []
    population = _population(len(cube.axes))
    while trials.left - kept_back >= population and not trials.is_stopped:
        descent = _descend(cube, trials, kept_back, _optimiser(cube, middle, population, rng))
        if not descent:
            break
        ends = descent + ends
        population *= 2
        middle = rng.uniform(size=len(cube.axes))
    places = list(dict.fromkeys([*ends[: MOST_FINALISTS - 1], *([] if start is None else [start])]))
    return trials.found("CMA-ES", best_first(places, trials) if places else [], spent=True)


def _population(axes: int) -> int:
    """Hansen (2016), arXiv 1604.00772, eq. 48."""
    return 4 + math.floor(3.0 * math.log(axes))


def _descend(cube: _Unit, trials: Trials, kept_back: int, optimiser: _Optimiser) -> list[Candidate]:
    """Where one distribution ended, and the best of its last generation, for what it is worth."""
    size = optimiser.population_size
    spare = trials.left - kept_back
    # Both runs of each and generations grow with the budget. A tail is not seen by few runs; but
    # a few generations are the least that moves anywhere.
    tail = min(trials.wanted, spare // (size * FEWEST_GENERATIONS))
    runs = max(1, math.isqrt(spare // (size * GENERATIONS)), tail)
    last: list[Candidate] = []
    first = trials.seen
    while trials.left - kept_back >= size * runs and not optimiser.should_stop():
        asked = [optimiser.ask() for _ in range(size)]
        tried = [cube.candidate(at) for at, _ in asked]
        samples = trials.run(tried, first if trials.goal.constraints else trials.seen, runs)
        if samples is None:
            break
        marks = trials.goal.marks(samples)
        # It asks only for the order: ranks instead of costs hold constraints, too.
        order = marks.order()
        rank = np.empty(size)
        rank[order] = np.arange(size)
        optimiser.tell([(raw, float(r)) for (_, raw), r in zip(asked, rank, strict=True)])
        best = marks.cost[order[0], 0]
        last = [cube.candidate(optimiser.mean), tried[order[0]]]
        if math.isfinite(best):
            trials.tell(last[0], float(best))
        if np.ptp(np.array([at for at, _ in asked]), axis=0).max() < NARROW:
            break
    return last


def _optimiser(
    cube: _Unit, middle: Float64[np.ndarray, " axis"], population: int, rng: np.random.Generator
) -> _Optimiser:
    # Imported late: where scipy is installed it brings that, which takes a second.
    cmaes = needed("cmaes", by="a search over numbers", extra="search")
    edges = np.tile([0.0, 1.0], (len(cube.axes), 1))
    made: _Optimiser = cmaes.CMAwM(
        mean=middle,
        sigma=STEP,
        bounds=edges,
        steps=cube.steps,
        population_size=population,
        seed=int(rng.integers(2**32)),
    )
    return made
