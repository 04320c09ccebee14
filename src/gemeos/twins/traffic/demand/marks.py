"""How well counts were told: GEH, the bands of FHWA 2019, and forecasters without a model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from jaxtyping import Bool, Float64

from gemeos.ensemble.score import crps

ENOUGH: Final = 30
"""Earlier errors, before they count as a distribution."""
MOST: Final = 400
"""Of them that are kept in one distribution, spread evenly."""


def geh(
    told: Float64[np.ndarray, "*any"], counted: Float64[np.ndarray, "*any"], minutes: float
) -> Float64[np.ndarray, "*any"]:
    """sqrt(2 (m - c)^2 / (m + c)) of hourly volumes: the counts of ``minutes`` times 60 over them.

    0 where neither had a vehicle. Design Manual for Roads and Bridges, volume 12, section 2,
    part 1, chapter 4 (1996); below 5 is good.
    """
    m, c = told * (60.0 / minutes), counted * (60.0 / minutes)
    both = m + c
    return np.sqrt(2.0 * (m - c) ** 2 / np.where(both > 0, both, 1.0))


class Bands(NamedTuple):
    """Of a day's counts told beside those counted; FHWA-HOP-18-036 (2019), section 5.5."""

    within_two: float
    """Share within 1.96 standard deviations of how days differ; wanted is 0.95."""
    within_one: float
    """Within one; wanted is two thirds."""


def bands(
    told: Float64[np.ndarray, "time loop"],
    counted: Float64[np.ndarray, "time loop"],
    other_day: Float64[np.ndarray, "time loop"],
) -> Bands:
    """How the counts lie in the bands that days make.

    Two days are no sample for each loop and hour; so how days differ is pooled, in roots of counts,
    as Poisson's do.
    """
    size = np.sqrt(np.maximum((counted + other_day) / 2.0, 1.0))
    deviation = math.sqrt(float((((counted - other_day) / size) ** 2).mean() / 2.0))
    away = np.abs(told - counted) / (deviation * size)
    return Bands(float((away <= 1.96).mean()), float((away <= 1.0).mean()))


def stepwise(
    counts: Float64[np.ndarray, "minute loop"], minutes: int
) -> Float64[np.ndarray, "step loop"]:
    """Sums over so many minutes, an incomplete end left out."""
    whole = len(counts) // minutes
    return counts[: whole * minutes].reshape(whole, minutes, -1).sum(axis=1)


class Errors:
    """Errors of a forecaster so far, in roots of what it said: a distribution for the next one."""

    def __init__(self) -> None:
        self._known: list[Float64[np.ndarray, " error"]] = []

    def add(self, said: Float64[np.ndarray, " loop"], came: Float64[np.ndarray, " loop"]) -> None:
        """Both of the same loops."""
        self._known.append((came - said) / np.sqrt(said + 1.0))

    def about(self, said: Float64[np.ndarray, " loop"]) -> Float64[np.ndarray, "loop draw"]:
        """What may come, whole and not below 0; the bare value, twice, until enough is known."""
        known = np.concatenate(self._known) if self._known else np.zeros(0)
        if len(known) < ENOUGH:
            return np.repeat(said[:, None], 2, axis=1)
        chosen = np.quantile(known, (np.arange(MOST) + 0.5) / MOST)
        return np.maximum(np.rint(said[:, None] + chosen * np.sqrt(said + 1.0)[:, None]), 0.0)


def scores(
    draws: Float64[np.ndarray, "loop draw"], came: Float64[np.ndarray, " loop"]
) -> Float64[np.ndarray, " loop"]:
    """CRPS of each loop's count."""
    return crps(draws, came)


def held(
    draws: Float64[np.ndarray, "loop draw"],
    came: Float64[np.ndarray, " loop"],
    share: float,
    rng: np.random.Generator,
) -> Bool[np.ndarray, " loop"]:
    """Whether each count lay in the central ``share`` of its forecast.

    By the randomised probability integral transform: counts are whole numbers, and an interval
    that takes all of an atom in would hold more than it promises.
    """
    below = (draws < came[:, None]).mean(axis=1)
    equal = (draws == came[:, None]).mean(axis=1)
    place = below + rng.random(len(came)) * equal
    tail = (1.0 - share) / 2.0
    return np.asarray((place >= tail) & (place <= 1.0 - tail))


def withheld(count: int, every: int = 4, first: int = 1) -> Bool[np.ndarray, " loop"]:
    """Every fourth."""
    return np.arange(count) % every == first


def shares(values: Sequence[Bool[np.ndarray, " any"]]) -> Float64[np.ndarray, " issue"]:
    """Mean of each."""
    return np.array([value.mean() for value in values])
