"""What bounds a timeline, whatever it is kept in."""

from __future__ import annotations

from typing import Final

import numpy as np

from gemeos.errors import TimelineError
from gemeos.schema.reading import Readings, SeriesBook
from gemeos.units.instant import Instant

MOST_REFUSED: Final = 10_000
MOST_RECEIPTS: Final = 100_000
BEFORE_TIME: Final[Instant] = int(np.iinfo(np.int64).min)
END_OF_TIME: Final[Instant] = int(np.iinfo(np.int64).max)


def check_numbers(readings: Readings, book: SeriesBook) -> None:
    """Only series of ``book`` may be stored: the number of another could never be told again.

    Raises:
        TimelineError: there is another.
    """
    strange = readings.series[(readings.series < 0) | (readings.series >= len(book))]
    if len(strange):
        raise TimelineError(
            f"The readings name series {strange[0]}; the book of this timeline has "
            f"{len(book)}, from 0. Number series by the timeline's own book."
        )
