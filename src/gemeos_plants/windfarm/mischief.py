"""What a real transmission does to readings, made up but always the same.

Whether a reading is late, comes twice or overtakes another is a function of the seed and of its
number alone. So a plant that starts again makes the same trouble again, and a site that was killed
can be compared with one that was not.

Trouble never breaks the rule of the clock: a late reading is *sent* later in plant time. It is not
known before; it is only known late.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Float64, Int64, UInt64

from gemeos_plants.windfarm.record import SECOND, TAGS, Record

TRANSPORT: Final = 30 * SECOND
"""From the end of an interval until its mean is sent, in plant time."""
LONGEST_DELAY: Final = 30 * 60 * SECOND
_SECOND_COPY: Final = 5 * 60 * SECOND
"""The second copy of a reading comes at most that much after the first."""
_LATE, _HOW_LATE, _TWICE, _GAP, _SHUFFLED, _ORDER = range(6)


@dataclass(frozen=True, slots=True)
class Mischief:
    """How much trouble there is."""

    seed: int = 7
    late: float = 0.01
    """Share of the readings that are sent up to 30 minutes late."""
    twice: float = 0.01
    """Share of the readings that are sent a second time within 5 minutes."""
    shuffled: float = 0.2
    """Share of the steps whose readings are sent in no particular order."""


NONE: Final = Mischief(late=0.0, twice=0.0, shuffled=0.0)


@dataclass(frozen=True, slots=True, eq=False)
class Departures:
    """What is sent when, in the order of sending."""

    at: Int64[np.ndarray, " departure"]
    """Plant time of sending, in microseconds; never decreasing."""
    seq: Int64[np.ndarray, " departure"]
    """Number of the reading that is sent."""

    def __len__(self) -> int:
        """How many there are, second copies included."""
        return len(self.at)


def departures(record: Record, mischief: Mischief, first: int, beyond: int) -> Departures:
    """When the readings from number ``first`` to before ``beyond`` are sent."""
    seq = np.arange(first, beyond, dtype=np.int64)
    row = seq // len(TAGS)
    due = record.stamp[row] + TRANSPORT
    minutes = 1 + np.floor(_chance(mischief.seed, _HOW_LATE, seq) * 30)
    late = _chance(mischief.seed, _LATE, seq) < mischief.late
    at = due + np.where(late, np.minimum(minutes * 60 * SECOND, LONGEST_DELAY), 0).astype(np.int64)
    # A step is shuffled or not as a whole, hence by its stamp, not by its readings' numbers.
    shuffled = _chance(mischief.seed, _SHUFFLED, record.stamp[row] // SECOND) < mischief.shuffled
    order = np.where(shuffled, _chance(mischief.seed, _ORDER, seq), 0.0)
    again = _chance(mischief.seed, _TWICE, seq) < mischief.twice
    gap = np.floor(_chance(mischief.seed, _GAP, seq[again]) * 6) * 60 * SECOND
    second = at[again] + np.minimum(gap, _SECOND_COPY).astype(np.int64)
    all_at = np.concatenate([at, second])
    all_seq = np.concatenate([seq, seq[again]])
    all_order = np.concatenate([order, order[again]])
    sending = np.lexsort((all_seq, all_order, all_at))
    return Departures(at=all_at[sending], seq=all_seq[sending])


def _chance(
    seed: int, stream: int, number: Int64[np.ndarray, " reading"]
) -> Float64[np.ndarray, " reading"]:
    """A number in [0, 1) for each of ``number``, the same whenever it is asked for.

    SplitMix64's output function (Steele, Lea and Flood 2014, OOPSLA, fig. 17) over a counter.
    """
    start = np.uint64((seed * 0x632BE59BD9B4E019 + stream * 0xD1B54A32D192ED03) % 2**64)
    with np.errstate(over="ignore"):
        x: UInt64[np.ndarray, " reading"] = start + number.astype(np.uint64) * np.uint64(
            0x9E3779B97F4A7C15
        )
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        x ^= x >> np.uint64(31)
    return (x >> np.uint64(11)) / 2.0**53
