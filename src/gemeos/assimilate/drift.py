"""Whether spread and error still agree: a sequential test that may be looked at after each reading.

The normalised innovations of a serial filter, each given the readings before it, are independent
with variance 1 where model and noise are right (Kailath 1968, IEEE Trans. Autom. Control 13,
646-655). Tested is that the mean of their squares is not above ``TOLERATED``, by betting: Waudby-
Smith & Ramdas (2024), J. R. Stat. Soc. B 86, 1-27. A stake multiplied by

    1 + BET (min(z^2, LARGEST) / TOLERATED - 1)

at each reading does not grow on average where that holds, whatever the distribution. A drift may
begin at any reading; so a part 1/(t (t + 1)) of the stake is put in at the t-th, as in Shin, Ramdas
& Rinaldo (2024), New England J. Stat. Data Sci. 2, 229-260, sec. 5. All parts together are 1: by
Ville's inequality (1939) the chance that the stake *ever* reaches 100 is at most 1 %.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float64

from gemeos.ensemble.state import Drift

TOLERATED = 1.5
"""Mean square of the innovations that is no drift yet: errors a fifth larger than expected."""
LARGEST = 9.0
"""One reading counts at most as three expected deviations: it takes five at once to reject."""
BET = 0.25
LEVEL = 0.01
READINGS_TO_PASS = 100
"""Tested anew without a rejection, after which a drift is over."""


def tested(
    drift: Float64[np.ndarray, "twin test"],
    surprise: Float64[np.ndarray, "twin reading"],
    expected: Float64[np.ndarray, "twin reading"],
    counted: Bool[np.ndarray, "twin reading"],
) -> Float64[np.ndarray, "twin test"]:
    """The test after the readings of one instant.

    Args:
        drift: As it was.
        surprise: Read less expected, given all readings before it.
        expected: Variance that it should have.
        counted: Readings of sensors that are held to be sound.
    """
    factor = 1.0 + BET * (np.minimum(surprise**2 / expected, LARGEST) / TOLERATED - 1.0)
    for place in range(surprise.shape[1]):
        drift = staked(drift, factor[:, place], counted[:, place])
    return drift


def staked(
    drift: Float64[np.ndarray, "twin test"],
    factor: Float64[np.ndarray, " twin"],
    here: Bool[np.ndarray, " twin"],
) -> Float64[np.ndarray, "twin test"]:
    """The test after one bet more.

    Args:
        drift: As it was.
        factor: By what the bet multiplies the stake: 1 on average where the hypothesis holds.
        here: Twins of which there is something to bet on.
    """
    stake, count, rejected = (drift[:, c] for c in Drift)
    now = count + 1.0
    grown = factor * (stake + 1.0 / (now * (now + 1.0)))
    rejects = here & (grown >= 1.0 / LEVEL)
    passed = here & (now >= READINGS_TO_PASS)
    rejected = np.where(rejects, 1.0, np.where(passed, 0.0, rejected))
    count = np.where(rejects, 0.0, np.where(here, now, count))
    stake = np.where(rejects, 0.0, np.where(here, grown, stake))
    return np.stack([stake, count, rejected], axis=1)


def doubted(
    drift: Float64[np.ndarray, "twin test"],
    model: Bool[np.ndarray, " twin"],
    sensor: Bool[np.ndarray, " twin"],
) -> Float64[np.ndarray, "twin test"]:
    """With what is known of the channels taken in.

    Args:
        drift: As it was.
        model: Most channels of the twin are off: that is a drift, whatever the stake.
        sensor: A sensor was just found to be at fault: what it added to the stake is void.
    """
    begin = (model | sensor)[:, None]
    begun = np.zeros_like(drift)
    begun[:, Drift.REJECTED] = np.where(model, 1.0, drift[:, Drift.REJECTED])
    # The stake may be thrown away at any time, and the count goes on: neither helps to reject.
    begun[:, Drift.COUNT] = np.where(model, 0.0, drift[:, Drift.COUNT])
    return np.where(begin, begun, drift)
