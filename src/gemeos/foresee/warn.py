"""How warnings turned out: hits, misses, false alarms, how early, and whether chances are true.

A warning is judged by the occurrences that it is for, not by instants: an occurrence begins when
its condition comes to hold, and one that was seen coming once is one hit, however often it was
told. Counts and their names as in Wilks (2019), Statistical Methods in the Atmospheric Sciences,
4th ed., section 9.2; the Brier score is Brier (1950), Mon. Weather Rev. 78, 1-3.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64

from gemeos.errors import InputError
from gemeos.units.instant import Span


@dataclass(frozen=True, slots=True)
class WarningRecord:
    """What became of the warnings of one stretch of time."""

    issues: int
    """Instants at which it was asked whether to warn."""
    hits: int
    """Occurrences that were warned of before they began."""
    misses: int
    """Occurrences that were not."""
    false_alarms: int
    """Warnings, told once or without a pause, that nothing came of."""
    leads: tuple[Span, ...]
    """Of each hit: from the first warning of it to its beginning."""
    brier: float | None
    """Mean square of (chance - what happened); None where nothing could be judged."""
    brier_skill: float | None
    """Share of the Brier score that is saved against always telling how often it happens at all;
    None where that is never or always."""

    @property
    def occurrences(self) -> int:
        """How often it happened."""
        return self.hits + self.misses

    @property
    def hit_rate(self) -> float | None:
        """Share of the occurrences that were warned of; None where there was none."""
        return self.hits / self.occurrences if self.occurrences else None

    @property
    def false_alarm_ratio(self) -> float | None:
        """Share of the warnings that nothing came of; None where there was none."""
        told = self.hits + self.false_alarms
        return self.false_alarms / told if told else None

    @property
    def median_lead(self) -> Span | None:
        """Half of the hits were at least so early; None without one."""
        return round(float(np.median(self.leads))) if self.leads else None


def judged(
    issued: Int64[np.ndarray, " issue"],
    chance: Float64[np.ndarray, " issue"],
    times: Int64[np.ndarray, " time"],
    is_so: Bool[np.ndarray, " time"],
    *,
    within: Span,
    likely: float,
) -> WarningRecord:
    """Judge warnings by what happened.

    What happens while it happens already is not warned of, and neither is what lies beyond the
    last known time: such issues count for nothing, nor do those of which no forecast came.

    Args:
        issued: When it was asked, rising.
        chance: Of it happening within ``within`` then, 0..1; NaN where the forecast failed.
        times: When it is known whether it was so, rising.
        is_so: Whether it was.
        within: How far each warning reaches.
        likely: The chance from which on it is warned.

    Raises:
        InputError: nothing is known, or the threshold is no chance.
    """
    if not 0.0 < likely <= 1.0:
        raise InputError(f"It is warned from a chance within 0 and 1 on; {likely} is none.")
    if len(times) == 0 or len(issued) == 0:
        raise InputError("Nothing was asked, or nothing is known of what happened.")
    begins = times[1:][is_so[1:] & ~is_so[:-1]]
    before = np.searchsorted(times, issued, side="right") - 1
    free = (before >= 0) & ~is_so[np.maximum(before, 0)]
    known = free & (issued + within <= times[-1]) & np.isfinite(chance)
    following = np.searchsorted(begins, issued, side="right")
    ahead = np.append(begins, np.iinfo(np.int64).max)[following]
    comes = ahead <= issued + within
    warned = free & (chance >= likely)

    leads = []
    for begin in begins.tolist():
        mine = warned & (issued < begin) & (issued + within >= begin) & (ahead == begin)
        if mine.any():
            leads.append(begin - int(issued[mine][0]))
    right = _brier(chance[known], comes[known])
    return WarningRecord(
        issues=len(issued),
        hits=len(leads),
        misses=len(begins) - len(leads),
        false_alarms=_runs_without(warned, comes, known),
        leads=tuple(leads),
        brier=right[0],
        brier_skill=right[1],
    )


def _runs_without(
    warned: Bool[np.ndarray, " issue"],
    comes: Bool[np.ndarray, " issue"],
    known: Bool[np.ndarray, " issue"],
) -> int:
    """Unbroken warnings of which all are known to have had nothing ahead."""
    count, place = 0, 0
    while place < len(warned):
        if not warned[place]:
            place += 1
            continue
        end = place
        while end < len(warned) and warned[end]:
            end += 1
        run = slice(place, end)
        count += bool(known[run].all() and not comes[run].any())
        place = end
    return count


def _brier(
    chance: Float64[np.ndarray, " issue"], comes: Bool[np.ndarray, " issue"]
) -> tuple[float | None, float | None]:
    if len(chance) == 0:
        return None, None
    score = float(np.mean((chance - comes) ** 2))
    share = float(comes.mean())
    unskilled = share * (1.0 - share)
    return score, None if unskilled == 0.0 else 1.0 - score / unskilled
