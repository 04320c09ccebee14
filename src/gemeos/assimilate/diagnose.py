"""What is remembered of each channel: how surprising it is, how often it speaks, whether it moves.

Running means forget with a memory of about ``MEMORY`` readings; until then they are plain means.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64, Int64

from gemeos.ensemble.state import Monitor

MEMORY = 100.0
"""Readings after which an old one counts 1/e."""


def watched(
    monitors: Float64[np.ndarray, "twin monitor"],
    innovation: Float64[np.ndarray, " twin"],
    value: Float64[np.ndarray, " twin"],
    valid_at: Int64[np.ndarray, " twin"],
) -> Float64[np.ndarray, "twin monitor"]:
    """One channel's monitors of several twins after one more reading each.

    Args:
        monitors: As they were.
        innovation: (read - expected) / sqrt(expected variance + noise variance); NaN where the
            reading was not compared with anything (inputs).
        value: What was read.
        valid_at: When.
    """
    after = monitors.copy()
    count = monitors[:, Monitor.COUNT] + 1.0
    weight = np.maximum(1.0 / count, 1.0 / MEMORY)
    compared = np.isfinite(innovation)
    score = np.where(compared, innovation, 0.0)
    for column, now in ((Monitor.INNOVATION, score), (Monitor.SURPRISE, score**2)):
        was = monitors[:, column]
        after[:, column] = np.where(compared, was + weight * (now - was), was)
    equal = value == monitors[:, Monitor.LAST_VALUE]
    after[:, Monitor.EQUAL_RUN] = np.where(equal, monitors[:, Monitor.EQUAL_RUN] + 1.0, 1.0)
    since = valid_at - monitors[:, Monitor.LAST_AT]
    usual = monitors[:, Monitor.INTERVAL]
    first = np.isnan(usual)
    forward = np.isfinite(since) & (since > 0)
    blended = np.where(first, since, usual + weight * (since - usual))
    after[:, Monitor.INTERVAL] = np.where(forward, blended, usual)
    after[:, Monitor.COUNT] = count
    after[:, Monitor.LAST_VALUE] = value
    after[:, Monitor.LAST_AT] = np.fmax(valid_at, monitors[:, Monitor.LAST_AT])
    return after
