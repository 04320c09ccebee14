"""Turning the anomalies at random: no member may drift away alone.

A deterministic square-root filter moves all members alike. In a nonlinear model one member can
then end up far from all others, which carry its weight between them: Sakov & Oke (2008), Mon. Wea.
Rev. 136, 1042-1053, sec. 5; Lawson & Hansen (2004), Mon. Wea. Rev. 132, 1966-1981. Multiplying the
anomalies by an orthogonal matrix that keeps their mean (Sakov & Oke, eq. 24) changes neither mean
nor covariance and mixes the members. Here the matrix turns one random plane by an angle that grows
with what was learned: sums along the members only, and a reading that says nothing turns nothing.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Float64, Int64, UInt64

from gemeos.ensemble.noise import standard_normal, streams

PLANE = streams("turn", ["first", "second"])


def turned(
    members: Float[np.ndarray, "twin row member"],
    keys: UInt64[np.ndarray, " twin"],
    ticks: Int64[np.ndarray, " twin"],
    learned: Float64[np.ndarray, " twin"],
) -> Float[np.ndarray, "twin row member"]:
    """Members with the same means and covariances, otherwise mixed.

    Args:
        members: After an analysis.
        keys: Of the twins' noise.
        ticks: The instant: the plane is drawn for it.
        learned: 0 where the readings told nothing, towards 1 where they told all. The angle is
            twice the arcsine of its root: nothing to half a turn.
    """
    kind = members.dtype.type
    first, second = _plane(keys, ticks, members.shape[2], members.dtype)
    share = learned.astype(members.dtype)[:, None, None]
    cosine_less_one = kind(-2) * share
    sine = kind(2) * np.sqrt(share * (kind(1) - share))
    shifted = members - members[:, :, :1]
    anomalies = shifted - shifted.mean(axis=2, keepdims=True)
    along = (anomalies * first).sum(axis=2, keepdims=True)
    across = (anomalies * second).sum(axis=2, keepdims=True)
    return (
        members
        + (cosine_less_one * along - sine * across) * first
        + (sine * along + cosine_less_one * across) * second
    )


def _plane(
    keys: UInt64[np.ndarray, " twin"],
    ticks: Int64[np.ndarray, " twin"],
    size: int,
    kind: np.dtype[np.floating],
) -> tuple[Float[np.ndarray, "twin 1 member"], Float[np.ndarray, "twin 1 member"]]:
    """Two orthogonal directions of length 1 among the members, both without mean."""
    drawn = standard_normal(keys, ticks, PLANE, size).astype(kind)
    drawn -= drawn.mean(axis=2, keepdims=True)
    first = drawn[:, :1, :]
    first = first / np.sqrt((first**2).sum(axis=2, keepdims=True))
    second = drawn[:, 1:, :]
    second = second - (second * first).sum(axis=2, keepdims=True) * first
    return first, second / np.sqrt((second**2).sum(axis=2, keepdims=True))
