"""What a validation tells: promises with what was measured, and the measures that they share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Float64

from gemeos.ensemble.blend import LEVELS
from gemeos.ensemble.score import MeanInterval, mean_interval

BLOCK: Final = 120
"""Issues in a block of the bootstrap: five days."""
DRAWS: Final = 2000
SOURCE: Final = "docs/validation/windfarm.md"


@dataclass(frozen=True, slots=True)
class Check:
    """One promise, and what was measured."""

    name: str
    measured: str
    goal: str
    ok: bool | None
    """None for what is told without a goal."""
    how: str
    reference: str
    source: str


def table(checks: Sequence[Check]) -> str:
    """All of them as a Markdown table, the goal beside the result."""
    verdict = {True: "yes", False: "**no**", None: ""}
    rows = [f"| {c.name} | {c.measured} | {c.goal} | {verdict[c.ok]} |" for c in checks]
    return "\n".join(["| what | measured | goal | met |", "|---|---|---|---|", *rows])


def mean_of(values: Float64[np.ndarray, " issue"]) -> MeanInterval:
    """Mean over hourly issues with its interval by blocks of five days."""
    return mean_interval(values, block=min(BLOCK, len(values)), rng=_rng(), draws=DRAWS)


def _rng() -> np.random.Generator:
    return np.random.default_rng(20150101)


def inside(
    given: Float64[np.ndarray, "issue level"], truth: Float64[np.ndarray, " issue"], share: float
) -> tuple[Float64[np.ndarray, " issue"], Float64[np.ndarray, " issue"]]:
    """1 where the truth lies in the central interval of that share, else 0; and its width."""
    low = _at_level(given, 0.5 - share / 2)
    high = _at_level(given, 0.5 + share / 2)
    return ((truth >= low) & (truth <= high)).astype(np.float64), high - low


def _at_level(
    given: Float64[np.ndarray, "issue level"], level: float
) -> Float64[np.ndarray, " issue"]:
    place = float(np.interp(level, LEVELS, np.arange(len(LEVELS))))
    low, part = int(place), place - int(place)
    upper = given[:, min(low + 1, len(LEVELS) - 1)]
    return (1.0 - part) * given[:, low] + part * upper


def relative(
    one: Float64[np.ndarray, " issue"], other: Float64[np.ndarray, " issue"]
) -> MeanInterval:
    """By how much the mean of ``one`` lies above that of ``other``, in per cent of it.

    Blocks of both are drawn together. The ratio's interval is that of ``one - c other`` turned
    round: with c the ratio itself its mean is zero (the linearised ratio, Cochran 1977, Sampling
    Techniques, eq. 2.39), which needs no second bootstrap.
    """
    ratio = float(one.mean() / other.mean())
    off = mean_of(one - ratio * other)
    scale = 100.0 / float(other.mean())
    middle = 100.0 * (ratio - 1.0)
    return MeanInterval(middle, middle + scale * off.low, middle + scale * off.high)


def randomised_pit(
    given: Float64[np.ndarray, "issue level"], truth: Float64[np.ndarray, " issue"]
) -> Float64[np.ndarray, " issue"]:
    """Where truths lie in their forecasts, 0..1; spread evenly over an atom at zero power.

    Czado, Gneiting & Held (2009), Biometrics 65, 1254-1261, eq. 2.
    """
    below = np.array(
        [np.searchsorted(g, t, side="left") for g, t in zip(given, truth, strict=True)]
    )
    upto = np.array(
        [np.searchsorted(g, t, side="right") for g, t in zip(given, truth, strict=True)]
    )
    return (below + _rng().random(len(truth)) * (upto - below + 1)) / (len(LEVELS) + 1)
