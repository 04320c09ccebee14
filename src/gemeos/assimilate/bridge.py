"""Choosing members by how well they foresaw, and leaving the rest of the evidence to the smoother.

A fit of parameters moves members and never their states. Where a state went wrong and stays so, as
in a simulation whose roads are jammed while the real ones are not, no parameter of the last minutes
can mend it; but another member's state may be right. So the evidence is split, as in Frei & Künsch
(2013), Biometrika 100, 781-800: with its power gamma members are drawn again, with 1 - gamma they
are fitted. Gamma is as large as leaves enough members that count; both together count each reading
once. Drawn systematically: Kitagawa (1996), J. Comput. Graph. Stat. 5, 1-25, appendix.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from gemeos.assimilate.es_mda import Draws, Predictions
from gemeos.assimilate.observed import Observed, times_root
from gemeos.errors import InputError

_HALVINGS = 40


@dataclass(frozen=True, slots=True, eq=False)
class Chosen:
    """Who goes on."""

    origin: Int64[np.ndarray, " member"]
    """Which member each is from now on: its own place wherever it was kept."""
    power: float
    """Gamma: the share of the evidence that was used."""


@dataclass(frozen=True, slots=True)
class Bridge:
    """How far members may be chosen."""

    left: float = 0.5
    """Share of the members that must still count: effective size, over their number."""
    most: float = 0.5
    """Of the evidence, that may be used so."""

    def __post_init__(self) -> None:
        if not (0.0 < self.left <= 1.0 and 0.0 <= self.most < 1.0):
            raise InputError("A bridge leaves a share above 0 of the members, and some evidence.")

    @property
    def identity(self) -> str:
        """Its settings: part of what an estimate rests on."""
        return f"bridge-{self.left:g}-{self.most:g}"

    def chosen(self, predicted: Predictions, observed: Observed, uses: int, draws: Draws) -> Chosen:
        """Members drawn by the likelihood of what was read, to a power.

        Args:
            predicted: By each member as it stands; of one that failed NaN, and it is not kept.
            observed: What was read.
            uses: Assimilations that count each reading once together.
            draws: Key of the one number that is drawn.
        """
        everyone = np.arange(predicted.shape[1])
        read = observed.read
        seen = predicted[read]
        living = np.isfinite(seen).all(axis=0)
        if not read.any() or living.sum() < 2:
            return Chosen(everyone, 0.0)
        # A run's own scatter stands beside that of what was read.
        white = observed.noise_roots_of(1.0, 2.0).white
        with np.errstate(over="ignore", invalid="ignore"):
            off = times_root(white, observed.values[read, None] - seen[:, living])
            evidence = -0.5 * (off**2).sum(axis=0) / uses
        if not np.isfinite(evidence).all():
            return Chosen(everyone, 0.0)
        power = self._power(evidence)
        weights = np.zeros(len(everyone))
        weights[living] = _weights(evidence, power)
        deviate = float(draws.normal("bridge", ("start",), 1)[0, 0])
        start = 0.5 * math.erfc(-deviate / math.sqrt(2.0))
        return Chosen(_kept_in_place(_systematic(weights, start)), power)

    def _power(self, evidence: Float64[np.ndarray, " living"]) -> float:
        """The largest that leaves as many as are wanted; by halving, as more leaves fewer."""
        least = self.left * len(evidence)
        low, high = 0.0, self.most
        if _effective(_weights(evidence, high)) >= least:
            return high
        for _ in range(_HALVINGS):
            middle = 0.5 * (low + high)
            if _effective(_weights(evidence, middle)) >= least:
                low = middle
            else:
                high = middle
        return low


def _weights(
    evidence: Float64[np.ndarray, " living"], power: float
) -> Float64[np.ndarray, " living"]:
    raised = np.exp(power * (evidence - evidence.max()))
    return np.asarray(raised / raised.sum())


def _effective(weights: Float64[np.ndarray, " living"]) -> float:
    return 1.0 / float((weights**2).sum())


def _systematic(weights: Float64[np.ndarray, " member"], start: float) -> Int64[np.ndarray, " m"]:
    """How often each is drawn."""
    size = len(weights)
    points = (start + np.arange(size)) / size
    drawn = np.searchsorted(np.cumsum(weights), points, side="right")
    last = int(np.flatnonzero(weights > 0)[-1])
    return np.bincount(np.minimum(drawn, last), minlength=size)


def _kept_in_place(times: Int64[np.ndarray, " member"]) -> Int64[np.ndarray, " member"]:
    """Who is kept stays where it is; the others' places go to those drawn more than once."""
    origin = np.arange(len(times))
    origin[times == 0] = np.repeat(np.arange(len(times)), np.maximum(times - 1, 0))
    return origin
