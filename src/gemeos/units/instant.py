"""Instants and spans: whole microseconds, written by people as ISO 8601 and as ``6 h``.

An instant is microseconds of UTC since 1970. Whole numbers, because a state's place in time is a
key (of noise, of readings, of checkpoints) and keys must compare exactly.
"""

from __future__ import annotations

import datetime as dt
import zoneinfo
from typing import TypeAlias

from gemeos.errors import TimeError, UnitError, nearest
from gemeos.units.quantity import conversion, quantity

Instant: TypeAlias = int
"""Microseconds of UTC since 1970-01-01T00:00Z."""
Span: TypeAlias = int
"""Microseconds."""

SECOND: Span = 1_000_000
FIRST_YEAR, LAST_YEAR = 1000, 9000
"""Times outside cannot be told in every zone; none of them is meant."""
LONGEST: Span = 10_000 * 366 * 86_400 * SECOND
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)


def zone(name: str) -> zoneinfo.ZoneInfo:
    """The time zone of that IANA name.

    Raises:
        TimeError: no such zone.
    """
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
        known = {n for n in zoneinfo.available_timezones() if n[:2].lower() == name[:2].lower()}
        raise TimeError(f"There is no time zone {name!r}.{nearest(name, known)}") from error


def instant(when: str | dt.datetime, *, zone: dt.tzinfo | None = None) -> Instant:
    """The instant that ``when`` tells, as ISO 8601 text or as a datetime.

    Args:
        when: ``2026-07-01T03:10+09:00``, ``2026-07-01 03:10Z``, or a datetime.
        zone: How to read a time that names no offset; without it such a time is refused.

    Raises:
        TimeError: not ISO 8601, or no offset and no ``zone``.
    """
    if isinstance(when, str):
        try:
            parsed = dt.datetime.fromisoformat(when.strip())
        except ValueError as error:
            raise TimeError(
                f"{when!r} is not a time. Write it as in '2026-07-01T03:10+09:00'."
            ) from error
    else:
        parsed = when
    if not FIRST_YEAR <= parsed.year <= LAST_YEAR:
        raise TimeError(f"{when!s} lies outside of the years {FIRST_YEAR} to {LAST_YEAR}.")
    if parsed.tzinfo is None:
        if zone is None:
            raise TimeError(
                f"{when!s} names no offset from UTC. Add one, as in '{parsed.isoformat()}+00:00'."
            )
        parsed = parsed.replace(tzinfo=zone)
    return (parsed - _EPOCH) // _MICROSECOND


def iso(when: Instant, *, zone: dt.tzinfo = dt.UTC) -> str:
    """``when`` as ISO 8601 with its offset in ``zone``."""
    return (_EPOCH + when * _MICROSECOND).astimezone(zone).isoformat()


def span(length: str | dt.timedelta) -> Span:
    """A length of time, from ``"6 h"`` or a timedelta.

    Raises:
        TimeError: not a number with a unit of time, or finer than a microsecond allows.
    """
    if isinstance(length, dt.timedelta):
        return length // _MICROSECOND
    try:
        asked = quantity(length)
        scale, _ = conversion(asked.unit, "s")
    except UnitError as error:
        raise TimeError(
            f"{length!r} is not a length of time. Write it as in '6 h', '10 min', '0.1 s'."
        ) from error
    length_us = asked.number * scale * SECOND
    if not abs(length_us) < LONGEST:
        raise TimeError(f"{length!r} is longer than any time that can be told.")
    return round(length_us)


_UNITS = ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def span_told(length: Span) -> str:
    """``length`` as ``span`` reads it back: a whole number of the largest unit that fits."""
    for seconds, unit in _UNITS:
        if length and length % (seconds * SECOND) == 0:
            return f"{length // (seconds * SECOND)} {unit}"
    return f"{length / SECOND!r} s"
