"""What was read within a window, and how wrong it may be."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float64

from gemeos.errors import InputError

_SYMMETRIC = 1e-9
_LEAST_EIGENVALUE = 1e-10
"""Of a correlation matrix: below, the errors are as good as one error."""


class Roots(NamedTuple):
    """Square root of a covariance, and its inverse; diagonals alone where nothing is correlated.

    With another order of the readings they are the same numbers in that order, as those of
    Cholesky would not be.
    """

    colour: Float64[np.ndarray, "*root"]
    """Makes errors of this covariance from independent ones of variance 1."""
    white: Float64[np.ndarray, "*root"]
    """The other way round."""


@dataclass(frozen=True, slots=True, eq=False)
class Observed:
    """Readings with their errors, in sensor units."""

    names: tuple[str, ...]
    """One for each reading, such as ``loop.A 07:20``. They key the perturbations: the order of the
    readings does not matter."""
    values: Float64[np.ndarray, " reading"]
    """NaN for what was not read."""
    variance: Float64[np.ndarray, " reading"]
    """Of the error of what was read; positive."""
    scatter: Float64[np.ndarray, "*scatter"] | None = None
    """Variance of what the simulator would have read by its own random numbers alone, from run to
    run with equal parameters; or the covariance, where readings share their chances as two counts
    of the same vehicles do. None for a simulator without chance, and where that scatter is part
    of ``variance`` already: then each member meets the same chances in every step."""
    correlation: Float64[np.ndarray, "reading reading"] | None = None
    """Of the errors of what was read; None where each is for itself."""
    reach: Float64[np.ndarray, "param reading"] | None = None
    """Share of its gain that a reading may have on a parameter, from 0 to 1, such as
    ``localise.gaspari_cohn`` of their distance. None for all."""

    def __post_init__(self) -> None:
        count = len(self.names)
        if len(set(self.names)) != count:
            raise InputError("Two readings have the same name.")
        for what in (self.values, self.variance):
            if what.shape != (count,):
                raise InputError(f"There are {count} names for readings of shape {what.shape}.")
        if not (np.isfinite(self.variance).all() and (self.variance > 0).all()):
            raise InputError("The variances of readings are positive and finite.")
        if np.isinf(self.values).any():
            raise InputError("A reading is infinite. Give NaN for what was not read.")
        if self.scatter is not None:
            _check_scatter(self.scatter, count)
        if self.reach is not None and not ((self.reach >= 0).all() and (self.reach <= 1).all()):
            raise InputError("A reading's reach is a share, from 0 to 1.")
        if self.correlation is not None:
            _check_correlation(self.correlation, count)

    @property
    def read(self) -> Bool[np.ndarray, " reading"]:
        """Which were read."""
        return np.isfinite(self.values)

    @property
    def has_scatter(self) -> bool:
        """Whether members are to meet fresh chances in every step."""
        return self.scatter is not None

    def noise_roots(self, coefficient: float) -> Roots:
        """Of the covariance of the perturbations, of what was read.

        Of the whole error, the readings' R and the simulator's V, an assimilation with enlarged
        errors counts alpha (R + V). A run that draws fresh random numbers brings V along, so that
        alpha R + (alpha - 1) V is left to be added. Evensen (2019), Comput. Geosci. 23, 761-775,
        treats the errors of models as unknowns beside the parameters; an engine that cannot be
        told its errors leaves this way.
        """
        return self.noise_roots_of(coefficient, coefficient - 1.0)

    @property
    def whole_roots(self) -> Roots:
        """Of the covariance of the whole error, R + V, of what was read."""
        return self.noise_roots_of(1.0, 1.0)

    def shared(self, uses: float) -> Observed:
        """As each of so many assimilations is to take them, that together count them once.

        A number that is not whole is for one that has a part of the evidence, as ``bridge`` leaves
        it.

        The simulator's own scatter comes with every run, once; the rest of its share is added to
        the errors.
        """
        if uses == 1:
            return self
        error = self._error(uses, uses - 1.0)
        if error.ndim == 1:
            return replace(self, variance=error)
        variance = np.diag(error).copy()
        size = np.sqrt(variance)
        correlation = error / size[:, None] / size
        correlation[np.diag_indices_from(correlation)] = 1.0
        return replace(self, variance=variance, correlation=correlation)

    def _error(self, of_reading: float, of_simulator: float) -> Float64[np.ndarray, "*error"]:
        """So many times the readings' covariance and the simulator's; variances if they suffice."""
        variance, scatter = of_reading * self.variance, self.scatter
        own = np.zeros_like(variance) if scatter is None else of_simulator * scatter
        if self.correlation is None and own.ndim == 1:
            return variance + own
        deviation = np.sqrt(variance)
        correlation = np.eye(len(variance)) if self.correlation is None else self.correlation
        covariance = deviation[:, None] * correlation * deviation
        return covariance + (np.diag(own) if own.ndim == 1 else own)

    def noise_roots_of(self, of_reading: float, of_simulator: float) -> Roots:
        """Of so many times the readings' covariance and the simulator's, of what was read."""
        read, error = self.read, self._error(of_reading, of_simulator)
        if error.ndim == 1:
            root = np.sqrt(error[read])
            return Roots(root, 1.0 / root)
        covariance = error[np.ix_(read, read)]
        # As D C D with a unit diagonal of C: the units of readings may be far from each other.
        size = np.sqrt(np.diag(covariance))
        values, vectors = np.linalg.eigh(covariance / size[:, None] / size)
        root = (vectors * np.sqrt(values)) @ vectors.T
        inverse = (vectors / np.sqrt(values)) @ vectors.T
        return Roots(size[:, None] * root, inverse / size)


def times_root(
    root: Float64[np.ndarray, "*root"], rows: Float64[np.ndarray, "read any"]
) -> Float64[np.ndarray, "read any"]:
    """A root of ``noise_roots``, diagonal or whole, times the rows."""
    return root[:, None] * rows if root.ndim == 1 else root @ rows


def _check_correlation(correlation: Float64[np.ndarray, "reading reading"], count: int) -> None:
    if correlation.shape != (count, count) or not np.isfinite(correlation).all():
        raise InputError(f"The correlation of {count} readings has shape {correlation.shape}.")
    if np.abs(correlation - correlation.T).max(initial=0.0) > _SYMMETRIC:
        raise InputError("The correlation of the readings' errors is not symmetric.")
    if np.abs(np.diag(correlation) - 1.0).max(initial=0.0) > _SYMMETRIC:
        raise InputError("Each reading's correlation with itself is 1.")
    if count and np.linalg.eigvalsh(correlation)[0] < _LEAST_EIGENVALUE:
        raise InputError(
            "The correlation of the readings' errors is singular: some of them are as good as "
            "one. Leave those out."
        )


def _check_scatter(scatter: Float64[np.ndarray, "*scatter"], count: int) -> None:
    if scatter.shape not in ((count,), (count, count)) or not np.isfinite(scatter).all():
        raise InputError(f"The scatter of {count} readings has shape {scatter.shape}.")
    if scatter.ndim == 2 and np.abs(scatter - scatter.T).max(initial=0.0) > _SYMMETRIC * np.abs(
        scatter
    ).max(initial=0.0):
        raise InputError("The covariance of the simulator's own scatter is not symmetric.")
    values = scatter if scatter.ndim == 1 else np.linalg.eigvalsh(scatter)
    if (values < -_SYMMETRIC * np.abs(values).max(initial=0.0)).any():
        raise InputError("The simulator's own scatter is a variance: 0 or more.")
