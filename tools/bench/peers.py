"""What a tick is compared with: memory's own speed, the same filter in plain numpy, filterpy."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from filterpy.kalman import EnsembleKalmanFilter
from jaxtyping import Float32, Float64

from tools.bench.model import MEMBERS, ROWS

DT = 0.1
NOISE = 0.1
ALPHA = np.float32(0.2)
BUFFERS_BYTES = 512 << 20
Ensemble = Float32[np.ndarray, "twin row member"]


def copier(size: int) -> Callable[[], float]:
    """A call that copies ``size`` bytes through buffers too many for caches; seconds a copy."""
    pairs = -(-BUFFERS_BYTES // (2 * size))
    source = np.ones((pairs, size), np.uint8)
    target = np.zeros((pairs, size), np.uint8)

    def copied() -> float:
        began = time.perf_counter()
        for i in range(pairs):
            np.copyto(target[i], source[i])
        return (time.perf_counter() - began) / pairs

    return copied


def prior(twins: int) -> Ensemble:
    """Members as the model declares them; the last row is the logarithm of the stiffness."""
    rng = np.random.default_rng(3)
    members = rng.normal(0.0, 0.5, (twins, ROWS, MEMBERS)).astype(np.float32)
    members[:, 4] *= np.float32(0.4)
    return members


def numpy_tick(members: Ensemble, left: Float32[np.ndarray, " twin"]) -> Ensemble:
    """The same step and the same filter, batched over twins, as one would write it in numpy.

    Serial square root (Whitaker & Hamill 2002), the parameter moved only by what it is believably
    correlated with, spread relaxed (Whitaker & Hamill 2012). No monitors, no checks, no lateness.
    """
    x, v, y, w = (members[:, row] for row in range(4))
    k, dt, damped = np.exp(members[:, 4]), np.float32(DT), np.float32(0.1)
    v = v + dt * (k * (y - np.float32(2) * x) - damped * v)
    w = w + dt * (k * (x - y) - damped * w)
    before = np.stack([x + dt * v, v, y + dt * w, w, members[:, 4]], axis=1)
    after = before
    noise, size = np.float32(NOISE**2), np.float32(MEMBERS - 1)
    for sensor, observed in ((0, left), (2, left)):
        mean = after.mean(axis=2, keepdims=True)
        anomalies = after - mean
        seen = anomalies[:, sensor]
        covariance = (anomalies * seen[:, None]).sum(axis=2) / size
        total = covariance[:, sensor, None] + noise
        gain = covariance / total
        own = (anomalies[:, 4] ** 2).sum(axis=1) / size
        limit = np.float32(9.0 / MEMBERS)
        gain[:, 4] *= covariance[:, 4] ** 2 > limit * own * covariance[:, sensor]
        reduced = np.float32(1) / (np.float32(1) + np.sqrt(noise / total))
        surprise = observed - mean[:, sensor, 0]
        moved = surprise[:, None, None] - reduced[:, :, None] * seen[:, None, :]
        after = after + gain[:, :, None] * moved
    mean = after.mean(axis=2, keepdims=True)
    has = after.std(axis=2, keepdims=True)
    lost = np.maximum(before.std(axis=2, keepdims=True) - has, np.float32(0))
    return after + ALPHA * lost / has * (after - mean)


def filterpy_tick(twins: int, ticks: int) -> float:
    """Seconds of one tick of one twin with filterpy's EnsembleKalmanFilter."""

    def moved(state: Float64[np.ndarray, " row"], dt: float) -> Float64[np.ndarray, " row"]:
        x, v, y, w, log_k = state
        k = np.exp(log_k)
        v = v + dt * (k * (y - 2.0 * x) - 0.1 * v)
        w = w + dt * (k * (x - y) - 0.1 * w)
        return np.array([x + dt * v, v, y + dt * w, w, log_k])

    def read(state: Float64[np.ndarray, " row"]) -> Float64[np.ndarray, " sensor"]:
        return state[[0, 2]]

    spread = np.diag(np.array([0.5, 0.5, 0.5, 0.5, 0.2]) ** 2)
    filters = []
    for _ in range(twins):
        one = EnsembleKalmanFilter(
            x=np.zeros(ROWS), P=spread, dim_z=2, dt=DT, N=MEMBERS, hx=read, fx=moved
        )
        one.R = np.eye(2) * NOISE**2
        one.Q = np.eye(ROWS) * 1e-6
        filters.append(one)
    observed = np.array([0.1, -0.1])
    began = time.perf_counter()
    for _ in range(ticks):
        for one in filters:
            one.predict()
            one.update(observed)
    return (time.perf_counter() - began) / (twins * ticks)
