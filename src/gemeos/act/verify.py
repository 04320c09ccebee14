"""Did it take, and does reality go where the plan said?"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from gemeos.schema.plan import Band
from gemeos.units.instant import Instant

OUTSIDE: Final = 0.5
"""How often it lies outside of the band, where the plan does not hold: what is tested against."""
ENOUGH: Final = 100.0
"""Likelihood ratio at which the plan is given up."""


def took(desired: float, reported: float | None, tolerance: float) -> bool:
    """Whether the device stands where it was set. What is no number never does."""
    return reported is not None and abs(reported - desired) <= tolerance


@dataclass(frozen=True, slots=True)
class Watch:
    """How one variable has kept to its band so far.

    Page's test (CUSUM) of "lies outside as often as the band says" against "lies outside half of
    the time": each comparison multiplies the likelihood ratio, which never falls below one; at 100
    the band counts as left. Of comparisons that do not depend on each other, a forecast that is
    right is given up once in 100 or more on average; with a band of 90 %, three in a row outside
    are always enough (5 x 5 x 5). Each instant of the band is compared once, with the first
    reading that is as new or newer, so that fast sensors do not count the same miss many times.

    References:
        Page (1954), Biometrika 41, 100-115; Lorden (1971), Ann. Math. Stat. 42, 1897-1908, for
        the average run length.
    """

    band: Band
    ratio: float = 1.0
    """Likelihood ratio since the test began anew."""
    compared: int = 0
    outside: int = 0
    until: Instant | None = None
    """Instants of the band up to this one have been compared."""

    @property
    def left(self) -> bool:
        """Whether reality is not where the plan said."""
        return self.ratio >= ENOUGH

    @property
    def told(self) -> str:
        """In a sentence."""
        return (
            f"{self.band.variable} was outside of its band of {self.band.share:.0%} in "
            f"{self.outside} of {self.compared} comparisons."
        )


def compared(watch: Watch, at: Instant, value: float) -> Watch:
    """The watch after one reading, of ``valid_at`` and in the band's unit.

    A reading of a time that was compared already, or that the band does not cover, changes
    nothing. One that is no number lies outside.
    """
    band = watch.band
    due = [each for each in band.valid_at if each <= at]
    ends = band.around(at)
    if ends is None or not due or (watch.until is not None and due[-1] <= watch.until):
        return watch
    low, high = ends
    is_outside = not low <= value <= high
    usual = 1.0 - band.share
    factor = OUTSIDE / usual if is_outside else (1.0 - OUTSIDE) / band.share
    return replace(
        watch,
        ratio=max(watch.ratio, 1.0) * factor,
        compared=watch.compared + 1,
        outside=watch.outside + is_outside,
        until=due[-1],
    )
