"""A linear-Gaussian twin: the case in which the exact answer is known."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float64

from gemeos.schema.prior import Normal
from gemeos.schema.schema import Schema
from gemeos.schema.variable import Input, Measure, Sensor, State
from gemeos.simulate.base import Consts, Driven, Members
from gemeos.units.instant import SECOND


@dataclass(frozen=True)
class Linear:
    """``x' = A x + b u``, read as ``H x``; the simulator of it."""

    matrix: Float64[np.ndarray, "state state"]
    observation: Float64[np.ndarray, "sensor state"]
    prior_mean: Float64[np.ndarray, " state"]
    prior_sd: Float64[np.ndarray, " state"]
    step_noise_sd: Float64[np.ndarray, " state"]
    """Standard deviation that one step adds to each state."""
    sensor_noise_sd: float
    push: Float64[np.ndarray, " state"] | None = None
    """What one unit of the input ``u`` adds to each state in a step; None for no input."""
    step_s: float = 1.0
    mean_over_s: float = 0.0
    """Every sensor reads the mean over this; 0 for instants."""

    @cached_property
    def schema(self) -> Schema:
        """States x0, x1, ..., sensors y0, y1, ..., and ``u`` where there is an input."""
        root = np.sqrt(self.step_s)
        states = [
            State(f"x{i}", "", Normal(float(m), float(s)), noise=float(q / root))
            for i, (m, s, q) in enumerate(
                zip(self.prior_mean, self.prior_sd, self.step_noise_sd, strict=True)
            )
        ]
        measure = Measure.MEAN if self.mean_over_s else Measure.INSTANT
        sensors = [
            Sensor(f"y{i}", "", self.sensor_noise_sd, measure, self.mean_over_s)
            for i in range(len(self.observation))
        ]
        inputs = [] if self.push is None else [Input("u", "", default=0.0)]
        return Schema("linear", round(self.step_s * SECOND), (*states, *inputs, *sensors))

    @property
    def identity(self) -> str:
        """Of this model."""
        return f"linear-{self.schema.fingerprint}"

    def step(self, values: Members, driven: Driven, consts: Consts) -> Members:  # noqa: ARG002
        """One step of every member, as sums of products in a fixed order."""
        out = np.zeros_like(values)
        for i, row in enumerate(self.matrix):
            for j, a in enumerate(row):
                out[:, i, :] += values.dtype.type(a) * values[:, j, :]
            if self.push is not None:
                out[:, i, :] += values.dtype.type(self.push[i]) * driven[:, 0, :]
        return out

    def observe(self, values: Members, driven: Driven, consts: Consts) -> Members:  # noqa: ARG002
        """What each sensor reads of every member."""
        out = np.zeros((len(values), len(self.observation), values.shape[2]), values.dtype)
        for i, row in enumerate(self.observation):
            for j, h in enumerate(row):
                out[:, i, :] += values.dtype.type(h) * values[:, j, :]
        return out


def kalman(
    mean: Float64[np.ndarray, " state"],
    covariance: Float64[np.ndarray, "state state"],
    observation: Float64[np.ndarray, "sensor state"],
    observed: Float64[np.ndarray, " sensor"],
    noise_sd: float,
) -> tuple[Float64[np.ndarray, " state"], Float64[np.ndarray, "state state"]]:
    """Mean and covariance after the readings: Kalman (1960), J. Basic Eng. 82, 35-45."""
    total = observation @ covariance @ observation.T + noise_sd**2 * np.eye(len(observation))
    gain = np.linalg.solve(total, observation @ covariance).T
    return mean + gain @ (
        observed - observation @ mean
    ), covariance - gain @ observation @ covariance
