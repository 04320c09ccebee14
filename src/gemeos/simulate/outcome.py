"""A member may fail: the one rule by which every simulator tells so.

A number that is not finite means that the member could not go on. It must not come back to life
by a clamp or by the branch that NaN happens to take, so one bad number is the whole member's end.
"""

from __future__ import annotations

import traceback
from typing import Final, final

import numpy as np
from jaxtyping import Bool, Float

from gemeos.simulate.base import Members

LEAST_LIVING: Final = 0.5
"""Share of the members that must survive a step for the ensemble to still say something."""


def end_failed(values: Members, states: Float[np.ndarray, "twin state member"]) -> None:
    """Make NaN, in place, every state of a member that was not finite before or is not now."""
    before, now = np.isfinite(values), np.isfinite(states)
    if not (before.all() and now.all()):  # flat, and so much cheaper than along an axis
        _blank(states, before.all(axis=1) & now.all(axis=1))


def blank_failed(values: Members, outputs: Float[np.ndarray, "twin output member"]) -> None:
    """Make NaN, in place, every output of a failed member, and each that has no value itself."""
    before, now = np.isfinite(values), np.isfinite(outputs)
    if not (before.all() and now.all()):
        outputs[~now] = np.nan
        _blank(outputs, before.all(axis=1))


def _blank(
    rows: Float[np.ndarray, "twin row member"], sound: Bool[np.ndarray, "twin member"]
) -> None:
    np.copyto(rows, np.nan, where=~sound[:, None, :])


@final
class FirstError:
    """Remembers the first thing that went wrong in the user's code, for the person who looks."""

    def __init__(self) -> None:
        self.text: str | None = None

    def note(self, error: Exception, where: str) -> None:
        """``where`` names the twin and member. Later ones are not kept."""
        if self.text is None:
            frames = traceback.extract_tb(error.__traceback__)
            place = f"{frames[-1].filename}:{frames[-1].lineno} in {frames[-1].name}, "
            self.text = f"{place}{where}: {type(error).__name__}: {error}"
