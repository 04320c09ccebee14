"""Times in messages, read fast."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Final, final

import numpy as np
from jaxtyping import Float64

from gemeos.errors import ReadingError, TimeError
from gemeos.link.format import TimeForm
from gemeos.units import Instant, instant, iso, zone

_EPOCH: Final = dt.datetime(1970, 1, 1)  # noqa: DTZ001  offset and epoch are subtracted as numbers
_FACTOR: Final = {
    TimeForm.SECONDS: 1_000_000,
    TimeForm.MILLISECONDS: 1_000,
    TimeForm.MICROSECONDS: 1,
}
_MINUTE: Final = 60_000_000
_SHORTEST_SPLIT: Final = len("2026-07-01T03:10+09:00")
_MOST_OFFSETS: Final = 200
_LONGEST_TOLD: Final = 60
_FARTHEST: Final = 1e18
"""Beyond this a number is no time, in whatever unit."""
UNREADABLE: Final = float("-inf")
"""Stands in a column for a time that cannot be read."""


@final
class TimeReader:
    """Reads the times of one format."""

    def __init__(self, form: TimeForm, zone_name: str | None = None) -> None:
        """``zone_name`` is for written times without an offset."""
        self.form = form
        self.wire: type = str if form is TimeForm.ISO else float
        """What the JSON value must be."""
        self._factor = _FACTOR.get(form, 0)
        self._zone = None if zone_name is None else zone(zone_name)
        self._offsets: dict[str, int] = {}
        self._last: tuple[str, Instant] = ("", 0)

    def __call__(self, raw: object) -> Instant:
        """The instant that ``raw`` tells.

        Raises:
            ReadingError: it tells none.
        """
        if self._factor:
            if isinstance(raw, bool) or not isinstance(raw, int | float):
                raise ReadingError(
                    f"The time {told(raw)} is not a number; it is declared as time = "
                    f"{self.form.value!r}.{_as_text(raw)}"
                )
            return self.number(raw)
        if not isinstance(raw, str):
            raise ReadingError(
                f"The time {told(raw)} is not text such as '2026-07-01T03:10:00+09:00'."
                f"{_as_number(raw)}"
            )
        try:
            return self.text(raw)
        except (TimeError, OverflowError, ValueError) as error:
            raise ReadingError(f"The time {told(raw)} cannot be read: {error}") from error

    def number(self, raw: float) -> Instant:
        """The instant of a number in the declared unit.

        Raises:
            ReadingError: it is beyond all calendars.
        """
        if not -_FARTHEST < raw < _FARTHEST:
            raise ReadingError(f"The time {told(raw)} is beyond all calendars.")
        return round(raw * self._factor)

    def text(self, text: str) -> Instant:
        """The instant of ISO 8601 text.

        Raises:
            TimeError: it is not, or names no offset while no zone is declared.
            OverflowError: it is in no calendar.
        """
        # Many channels are read at one instant, so the last text often comes again.
        if text == self._last[0]:
            return self._last[1]
        offset = self._offsets.get(text[-6:])
        if offset is None or len(text) < _SHORTEST_SPLIT:
            at = instant(text, zone=self._zone)
            self._learn(text)
        else:
            # An offset looked up beats one parsed: datetime's own arithmetic with it costs 0.5 us.
            try:
                past = dt.datetime.fromisoformat(text[:-6]) - _EPOCH
            except (ValueError, TypeError):
                at = instant(text, zone=self._zone)
            else:
                at = (past.days * 86400 + past.seconds) * 1_000_000 + past.microseconds - offset
        self._last = (text, at)
        return at

    def column(self, raw: Sequence[object]) -> Float64[np.ndarray, " reading"]:
        """Instants as whole floats, exact to the year 2255; ``UNREADABLE`` where there is none."""
        if self._factor:
            numbers = [float(r) if type(r) is float or type(r) is int else UNREADABLE for r in raw]
            with np.errstate(over="ignore"):
                return np.rint(np.array(numbers, np.float64) * self._factor)
        try:
            return np.array([self.text(r) for r in raw], np.float64)  # type: ignore[arg-type]
        except (TimeError, OverflowError, ValueError, TypeError):
            return np.array([self._or_unreadable(r) for r in raw], np.float64)

    def _or_unreadable(self, raw: object) -> float:
        if raw == self._last[0]:
            return self._last[1]
        try:
            return self(raw)
        except ReadingError:
            return UNREADABLE

    def _learn(self, text: str) -> None:
        tail = text[-6:]
        if (
            len(text) >= _SHORTEST_SPLIT
            and tail[0] in "+-"
            and tail[3] == ":"
            and (tail[1:3] + tail[4:]).isdecimal()
            and len(self._offsets) < _MOST_OFFSETS
        ):
            minutes = int(tail[1:3]) * 60 + int(tail[4:])
            self._offsets[tail] = (-minutes if tail[0] == "-" else minutes) * _MINUTE


def told(raw: object) -> str:
    """``raw`` for a sentence, cut to a readable length. Never deep, never long to make."""
    match raw:
        case None | bool():
            text = {None: "null", True: "true", False: "false"}[raw]
        case dict():
            text = "an object"
        case list():
            text = f"a list of {len(raw)}"
        case int() if abs(raw) >= 10**_LONGEST_TOLD:
            text = f"a number of {raw.bit_length()} bits"
        case str() if len(raw) > _LONGEST_TOLD:
            text = repr(raw[:_LONGEST_TOLD] + "...")
        case _:
            text = repr(raw)
    return text


def when(at: Instant) -> str:
    """``at`` as ISO 8601, or as a number where no calendar reaches it."""
    try:
        return iso(at)
    except OverflowError:
        return f"{at} us from 1970"


def other_form(raw: object, form: TimeForm, least: Instant, most: Instant) -> str:
    """The guess that a number is in another unit of time, where that makes a likely instant."""
    if form is TimeForm.ISO or not isinstance(raw, int | float):
        return ""
    for other, factor in _FACTOR.items():
        if other is not form and least <= raw * factor <= most:
            at = round(raw * factor)
            return f" Did you mean time = {other.value!r}? Then it is {when(at)}."
    return ""


def _as_text(raw: object) -> str:
    return " Did you mean time = 'iso'?" if isinstance(raw, str) else ""


def _as_number(raw: object) -> str:
    if isinstance(raw, int | float) and not isinstance(raw, bool):
        return " Did you mean time = 's', 'ms' or 'us'?"
    return ""
