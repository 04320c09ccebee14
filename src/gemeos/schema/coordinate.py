"""The coordinate in which the filter works: bounded variables are moved to the whole line.

A square-root filter adds; a stiffness must stay positive. The ensemble therefore stores each
variable in a coordinate without bounds, and models are given natural values. Changes of
variable as in Simon & Bertino (2009), Ocean Science 5, 495-510, section 2 ("anamorphosis"), with
analytic functions instead of an empirical one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from jaxtyping import Float

from gemeos.errors import SchemaError


@dataclass(frozen=True, slots=True)
class Whole:
    """No bounds: the coordinate is the value."""

    def inward(self, value: Float[np.ndarray, "*any"]) -> Float[np.ndarray, "*any"]:
        """Coordinate of a natural value."""
        return value

    def outward(self, coordinate: Float[np.ndarray, "*any"]) -> Float[np.ndarray, "*any"]:
        """Natural value at a coordinate."""
        return coordinate


@dataclass(frozen=True, slots=True)
class Above:
    """One bound: the coordinate is ``log(value - least)``."""

    least: float = 0.0
    """Lower bound, in the variable's unit."""

    def inward(self, value: Float[np.ndarray, "*any"]) -> Float[np.ndarray, "*any"]:
        """Coordinate of a natural value; a value at or below the bound is put just above it."""
        tiny = np.finfo(value.dtype).tiny
        return np.log(np.maximum(value - value.dtype.type(self.least), tiny))

    def outward(self, coordinate: Float[np.ndarray, "*any"]) -> Float[np.ndarray, "*any"]:
        """Natural value at a coordinate."""
        return np.exp(coordinate) + coordinate.dtype.type(self.least)


@dataclass(frozen=True, slots=True)
class Between:
    """Two bounds: the coordinate is the logit of the place between them."""

    least: float
    """Lower bound, in the variable's unit."""
    most: float
    """Upper bound, in the variable's unit; greater than ``least``."""

    def __post_init__(self) -> None:
        if not self.least < self.most:
            raise SchemaError(f"Bounds must rise: {self.least} is not below {self.most}.")

    def inward(self, value: Float[np.ndarray, "*any"]) -> Float[np.ndarray, "*any"]:
        """Coordinate of a natural value; one at or beyond a bound is put just inside it."""
        kind = value.dtype.type
        edge = kind(4) * np.finfo(value.dtype).eps
        place = (value - kind(self.least)) / kind(self.most - self.least)
        place = np.clip(place, edge, kind(1) - edge)
        return np.log(place) - np.log1p(-place)

    def outward(self, coordinate: Float[np.ndarray, "*any"]) -> Float[np.ndarray, "*any"]:
        """Natural value at a coordinate."""
        kind = coordinate.dtype.type
        # tanh form of the logistic function: no overflow at either end.
        place = kind(0.5) + kind(0.5) * np.tanh(kind(0.5) * coordinate)
        return kind(self.least) + kind(self.most - self.least) * place


Coordinate: TypeAlias = Whole | Above | Between
