"""Ensemble smoother with multiple data assimilation: parameters of what can only be run again.

Emerick & Reynolds (2013), Comput. Geosci. 55, 3-15: all readings of a stretch of time at once,
several times with enlarged errors, the model run anew in between. The inverse is taken in the
subspace of the predicted anomalies by a truncated singular value decomposition, as there and in
Evensen (2004), Ocean Dynamics 54, 539-560.

For engines whose state cannot be written. Whatever runs the members is a callable; nothing here
knows of processes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

import numpy as np
from jaxtyping import Bool, Float64

from gemeos.assimilate.localise import TIMES_SAMPLING_ERROR, believable
from gemeos.assimilate.mda_schedule import Constant, Schedule
from gemeos.assimilate.observed import Observed, times_root
from gemeos.ensemble.noise import standard_normal, streams, twin_key
from gemeos.errors import AssimilationError, InputError, TooFewMembersError
from gemeos.simulate.outcome import LEAST_LIVING

Params: TypeAlias = Float64[np.ndarray, "param member"]
"""In coordinates without bounds: ``schema.coordinate``."""
Predictions: TypeAlias = Float64[np.ndarray, "reading member"]
"""What each member would have read, in sensor units. NaN makes the whole member a failed one."""
_Deviates: TypeAlias = Float64[np.ndarray, "name member"]
Predict: TypeAlias = Callable[[Params, int], Predictions]
"""Runs every member. Equal numbers meet equal chances: where the engine draws random numbers of
its own, member i meets the same ones in every call with the same number, and fresh ones with
another. Without chance of its own it need not look at the number."""

_MOST = 1e100
"""Anomalies beyond it have no squares that sums can hold."""


@dataclass(frozen=True, slots=True)
class Draws:
    """What the random numbers of one analysis are a function of (contract 3)."""

    seed: int
    twin: str
    tick: int
    """Of the instant that the analysis is for."""

    def normal(self, purpose: str, names: tuple[str, ...], members: int) -> _Deviates:
        """Standard normal deviates, a row for each name."""
        keys = np.array([twin_key(self.seed, self.twin)], np.uint64)
        ticks = np.array([self.tick], np.int64)
        drawn = standard_normal(keys, ticks, streams(purpose, names), members)
        return drawn[0].astype(np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Smoothed:
    """The parameters given the readings, and how it went."""

    params: Params
    coefficients: tuple[float, ...]
    """By which the errors were enlarged, step by step."""
    failed: tuple[int, ...]
    """Members without prediction, step by step; each was drawn again from those that had one."""
    misfit: tuple[float, ...]
    """Mean square of read less predicted in standard deviations of the reading's whole error,
    over members and readings, before each step. In the end about 1 if errors are as declared, up
    to 2 where most of them are the simulator's own scatter. NaN if nothing was read."""


class Updated(NamedTuple):
    """The parameters after one step."""

    params: Params
    failed: int


@dataclass(frozen=True, slots=True)
class EsMda:
    """The smoother with its settings.

    Correlations are told from chance reading by reading. That keeps many parameters, each with
    readings of its own, apart. One that only many weak readings together tell of hardly moves:
    with a few parameters and tens of members set ``cut_off`` to 0. Then keep the readings of a
    simulator with scatter fewer than an eighth of the members, by averaging them: what is fitted
    to more of them is fitted to chance, and the spread comes out too small.
    """

    schedule: Schedule = field(default_factory=Constant)
    energy: float = 0.99
    """Share of the sum of the singular values that is kept, above 0, at most 1. Of the values and
    not of their squares: a direction with a twentieth of the largest one is still well told if
    the readings are good."""
    cut_off: float = TIMES_SAMPLING_ERROR
    """Correlations below so many sampling errors are not believed (``localise.believable``); 0
    believes all of them."""

    local: bool = False
    """Whether each parameter is fitted to the readings that reach it alone (``Observed.reach``),
    in a subspace of their own: of many readings, each of a few parameters, more is then learned
    than there are members. Domain localisation, as in Ott et al. (2004), Tellus A 56, 415-428.
    For readings whose errors are independent."""

    def __post_init__(self) -> None:
        if not 0.0 < self.energy <= 1.0:
            raise InputError(f"The energy kept is above 0 and at most 1; {self.energy} is not.")
        if not 0.0 <= self.cut_off < math.inf:
            raise InputError(f"A cut-off is 0 or more sampling errors; {self.cut_off} is not.")

    @property
    def identity(self) -> str:
        """Name and settings: they are part of what an estimate rests on."""
        kept = f"energy-{self.energy:g}/cut-off-{self.cut_off:g}{'/local' * self.local}"
        return f"es-mda/{self.schedule.identity}/{kept}"

    def smoothed(
        self, params: Params, predict: Predict, observed: Observed, draws: Draws
    ) -> Smoothed:
        """The parameters given all readings, after one run of every member for each step.

        Raises:
            TooFewMembersError: of fewer than half of the members there was a prediction.
            AssimilationError: the numbers ran out of their range.
            InputError: shapes that do not fit each other.
        """
        coefficients: tuple[float, ...] = ()
        failed: list[int] = []
        misfit: list[float] = []
        for step in range(self.schedule.steps):
            predicted = predict(params, step if observed.has_scatter else 0)
            _check(params, predicted, observed)
            if not coefficients:
                coefficients = self.schedule.coefficients(self._singular(predicted, observed))
            misfit.append(_misfit(predicted, observed))
            params, lost = self.update(
                params, predicted, observed, coefficients[step], draws, step=step
            )
            failed.append(lost)
        return Smoothed(params, coefficients, tuple(failed), tuple(misfit))

    def update(
        self,
        params: Params,
        predicted: Predictions,
        observed: Observed,
        coefficient: float,
        draws: Draws,
        *,
        step: int = 0,
    ) -> Updated:
        """The parameters after one step, whose error variances are ``coefficient`` times as large.

        Args:
            params: Before the step.
            predicted: With these parameters.
            observed: What was read; NaN was not, and moves nothing.
            coefficient: At least 1.
            draws: Keys of the perturbations.
            step: Each has perturbations of its own.

        Raises:
            TooFewMembersError: of fewer than half of the members there is a prediction.
            AssimilationError: the numbers ran out of their range.
            InputError: shapes that do not fit each other.
        """
        _check(params, predicted, observed)
        if coefficient < 1.0:
            raise InputError(f"A coefficient is at least 1; {coefficient} is not.")
        read = observed.read
        if not read.any():
            return Updated(params, 0)
        living = np.isfinite(predicted[read]).all(axis=0) & np.isfinite(params).all(axis=0)
        _check_enough(living, draws, step)
        seen, before = predicted[np.ix_(read, living)], params[:, living]
        colour, white = observed.noise_roots(coefficient)
        with np.errstate(over="ignore", invalid="ignore"):
            gain = self._gains(before, seen, white, _reach(observed))
            deviates = draws.normal(f"es-mda step {step}", observed.names, params.shape[1])
            perturbed = observed.values[read, None] + times_root(
                colour, _centred(deviates[np.ix_(read, living)])
            )
            moved = before + gain @ (perturbed - seen)
        if not np.isfinite(moved).all():
            raise AssimilationError(
                f"{draws.twin}: parameters ran out of the range of numbers in step {step + 1} of "
                "the smoother. Are predictions and readings in the same unit?"
            )
        return Updated(_filled(moved, living, draws, step), int((~living).sum()))

    def _gains(
        self,
        params: Float64[np.ndarray, "param living"],
        seen: Float64[np.ndarray, "read living"],
        white: Float64[np.ndarray, "*root"],
        reach: Float64[np.ndarray, "param read"] | None,
    ) -> Float64[np.ndarray, "param read"]:
        """Of all parameters together, or of those that the same readings reach."""
        if not self.local or reach is None:
            return self._gain(params, seen, white, reach)
        if white.ndim > 1:
            raise InputError("A local smoother is for readings whose errors are independent.")
        gain = np.zeros(reach.shape)
        for pattern in np.unique(reach > 0, axis=0):
            alike = (pattern == (reach > 0)).all(axis=1)
            if pattern.any():
                block = np.ix_(alike, pattern)
                gain[block] = self._gain(params[alike], seen[pattern], white[pattern], reach[block])
        return gain

    def _gain(
        self,
        params: Float64[np.ndarray, "param living"],
        seen: Float64[np.ndarray, "read living"],
        white: Float64[np.ndarray, "*root"],
        reach: Float64[np.ndarray, "param read"] | None,
    ) -> Float64[np.ndarray, "param read"]:
        """K = C_MD (C_DD + alpha C_D)^-1 with as many directions as are kept, then localised."""
        size = params.shape[1]
        anomalies = (params - params.mean(axis=1, keepdims=True)) / math.sqrt(size - 1)
        of_seen = (seen - seen.mean(axis=1, keepdims=True)) / math.sqrt(size - 1)
        scaled = times_root(white, of_seen)
        if not (np.abs(scaled).max() < _MOST and np.abs(anomalies).max() < _MOST):
            return np.full((len(params), len(seen)), np.nan)
        directions, singular, _ = np.linalg.svd(scaled, full_matrices=False)
        kept = self._kept(singular)
        directions, singular = directions[:, :kept], singular[:kept]
        # scaled scaled' + 1 is inverted within its own range, where C_MD lies wholly.
        along = (anomalies @ scaled.T) @ directions / (singular**2 + 1.0)
        gain = along @ directions.T
        gain = gain * white if white.ndim == 1 else gain @ white
        if self.cut_off > 0:
            gain = gain * self._believed(anomalies, of_seen)
        return gain if reach is None else gain * reach

    def _believed(
        self,
        anomalies: Float64[np.ndarray, "param living"],
        of_seen: Float64[np.ndarray, "read living"],
    ) -> Float64[np.ndarray, "param read"]:
        """Share of each gain that is not put down to chance."""
        covariance = of_seen @ anomalies.T
        own = np.broadcast_to((anomalies**2).sum(axis=1), covariance.shape)
        seen = (of_seen**2).sum(axis=1)[:, None]
        return believable(covariance, own, seen, anomalies.shape[1], self.cut_off).T

    def _kept(self, singular: Float64[np.ndarray, " value"]) -> int:
        """How many of the falling singular values make up the energy that is kept."""
        sums = np.cumsum(singular)
        if len(sums) == 0 or sums[-1] <= 0:
            return 0
        return int(np.searchsorted(sums, self.energy * sums[-1])) + 1

    def _singular(self, predicted: Predictions, observed: Observed) -> Float64[np.ndarray, " kept"]:
        """Singular values of the predicted anomalies, scaled by the readings' errors."""
        seen = predicted[observed.read]
        seen = seen[:, np.isfinite(seen).all(axis=0)]
        if seen.shape[0] == 0 or seen.shape[1] < 2:
            return np.zeros(0)
        white = observed.whole_roots.white
        anomalies = (seen - seen.mean(axis=1, keepdims=True)) / math.sqrt(seen.shape[1] - 1)
        singular = np.linalg.svd(times_root(white, anomalies), compute_uv=False)
        return singular[: self._kept(singular)]


def _check(params: Params, predicted: Predictions, observed: Observed) -> None:
    if params.shape[1] < 2:
        raise InputError(f"A smoother needs two members or more; there are {params.shape[1]}.")
    wanted = (len(observed.names), params.shape[1])
    if predicted.shape != wanted:
        raise InputError(
            f"Predictions of {wanted[0]} readings by {wanted[1]} members were asked for, and "
            f"{' by '.join(map(str, predicted.shape))} came."
        )
    if observed.reach is not None and observed.reach.shape != (len(params), wanted[0]):
        raise InputError(
            f"The readings' reach is told for {observed.reach.shape[0]} parameters; there are "
            f"{len(params)}."
        )


def _check_enough(living: Bool[np.ndarray, " member"], draws: Draws, step: int) -> None:
    left = int(living.sum())
    if left < max(LEAST_LIVING * len(living), 2):
        why = f"no prediction in step {step + 1} of the smoother"
        raise TooFewMembersError(draws.twin, len(living) - left, len(living), why)


def _reach(observed: Observed) -> Float64[np.ndarray, "param read"] | None:
    return None if observed.reach is None else observed.reach[:, observed.read]


def _centred(deviates: Float64[np.ndarray, "read living"]) -> Float64[np.ndarray, "read living"]:
    """Without their mean, so that the mean of the parameters is moved by the readings alone.

    Their sample variance, as that of all anomalies a sum over one fewer than there are members,
    is 1 on average as before.
    """
    return deviates - deviates.mean(axis=1, keepdims=True)


def _filled(
    moved: Float64[np.ndarray, "param living"],
    living: Bool[np.ndarray, " member"],
    draws: Draws,
    step: int,
) -> Params:
    """The updated members, those that failed drawn from a Gaussian with mean and covariance of it.

    A draw is the mean plus the anomalies in random shares: never a copy of another member.
    """
    params = np.empty((len(moved), len(living)))
    params[:, living] = moved
    if living.all():
        return params
    names = tuple(str(member) for member in np.flatnonzero(living))
    shares = draws.normal(f"es-mda drawn again {step}", names, len(living))[:, ~living]
    mean = moved.mean(axis=1, keepdims=True)
    params[:, ~living] = mean + (moved - mean) @ shares / math.sqrt(moved.shape[1] - 1)
    return params


def _misfit(predicted: Predictions, observed: Observed) -> float:
    read = observed.read
    seen = predicted[read]
    seen = seen[:, np.isfinite(seen).all(axis=0)]
    if seen.size == 0:
        return math.nan
    white = observed.whole_roots.white
    with np.errstate(over="ignore", invalid="ignore"):
        return float((times_root(white, observed.values[read, None] - seen) ** 2).mean())
