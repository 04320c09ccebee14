"""One reading out of what a message says of it, with a sentence for each way to be wrong."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, final

from gemeos.errors import ReadingError, UnitError, nearest
from gemeos.link._gather import Row
from gemeos.link._route import Kind, Route
from gemeos.link._shape import MISSING, Told, follow, squared
from gemeos.link._times import other_form, told, when
from gemeos.link.channels import Channels
from gemeos.schema.reading import COMMIT_ORDER, Quality
from gemeos.units.instant import SECOND, Instant, Span

_LARGEST: Final = {"sample": 2**31 - 1, "revision": 2**63 - 1}


@dataclass(frozen=True, slots=True)
class Window:
    """Which times are believed."""

    now: Instant
    """Site time."""
    earliest: Instant
    tolerance: Span

    @property
    def latest(self) -> Instant:
        """The newest that is believed."""
        return self.now + self.tolerance

    def check(self, at: Instant, raw: object, kind: Kind) -> None:
        """Refuse what no right clock says.

        Raises:
            ReadingError: too old, or from the future.
        """
        if self.earliest <= at <= self.latest:
            return
        guess = other_form(raw, kind.format.time, self.earliest, self.latest)
        if at < self.earliest:
            raise ReadingError(
                f"The time {told(raw)} is {when(at)}; the earliest that is believed is "
                f"{when(self.earliest)}.{guess}"
            )
        ahead = (at - self.now) / SECOND
        raise ReadingError(
            f"The time {told(raw)} is {when(at)}, {ahead:.0f} s ahead of site time "
            f"{when(self.now)}; at most {self.tolerance / SECOND:.0f} s are believed.{guess}"
        )


@final
class RowReader:
    """Reads rows the careful way."""

    def __init__(self, channels: Channels) -> None:
        self._channels = channels
        self._newest: dict[int, tuple[Instant, int]] = {}

    def row(
        self,
        route: Route,
        said: Told,
        window: Window,
        *,
        seen: object = MISSING,
        retained: bool = False,
        received_at: Instant = 0,
    ) -> Row:
        """The reading that ``said`` describes; ``seen`` is its JSON, for a guess.

        Raises:
            ReadingError: none; the message says what is wrong.
        """
        kind = route.kind
        assert kind is not None  # noqa: S101  routes of readings have one
        row = route.known_row(said.get("name", MISSING))
        value, retracted = _value(said, seen, kind)
        self._check_unit(row, said, kind)
        revision = _count(said, "revision", COMMIT_ORDER)
        at, since, sample = self._placed(row, said, window, kind)
        quality = Quality.GOOD
        if retracted:
            quality = Quality.RETRACTED
        elif retained:
            quality = Quality.RETAINED
        elif "quality" in said and not kind.is_good(said["quality"]):
            quality = Quality.SUSPECT
        return (row, at, since, sample, revision, value, int(quality), received_at)

    def _placed(
        self, row: int, said: Told, window: Window, kind: Kind
    ) -> tuple[Instant, Instant, int]:
        if said.get("valid_at") is None:
            if not kind.format.first_arrival:
                raise ReadingError(
                    f"No time at {kind.format.valid_at!r}. If such messages tell none, declare "
                    "first_arrival = true."
                )
            at = window.now
            # Several within one instant of site time are several readings, not corrections.
            newest, sample = self._newest.get(row, (at - 1, 0))
            sample = sample + 1 if newest == at else 0
            self._newest[row] = (at, sample)
            return at, at, _count(said, "sample", sample)
        at = kind.time(said["valid_at"])
        window.check(at, said["valid_at"], kind)
        since = at
        if said.get("valid_from") is not None:
            since = kind.time(said["valid_from"])
            window.check(since, said["valid_from"], kind)
            if since > at:
                raise ReadingError(
                    f"The interval begins at {when(since)}, after its end {when(at)}."
                )
        return at, since, _count(said, "sample", 0)

    def _check_unit(self, row: int, said: Told, kind: Kind) -> None:
        if "unit" not in kind.where:
            return
        unit, wanted = said.get("unit", MISSING), self._channels.unit(row)
        if not isinstance(unit, str):
            found = "missing" if unit is MISSING else told(unit)
            raise ReadingError(
                f"The unit at {kind.format.unit!r} is {found}"
                f"; {self._channels.names[row]!r} is declared in {wanted!r}."
            )
        try:
            same = self._channels.is_of_unit(row, unit)
        except UnitError as error:
            raise ReadingError(f"{error} The channel is declared in {wanted!r}.") from error
        if not same:
            raise ReadingError(
                f"The message tells {told(unit)}; {self._channels.names[row]!r} is declared in "
                f"{wanted!r}. If the source changed, bind the channel anew with its unit and since."
            )


def descriptions(kind: Kind, document: object) -> Iterable[tuple[Told, object]]:
    """What a message says of each of its readings, and the JSON of each.

    Raises:
        ReadingError: it is not of the declared form at all.
    """
    if kind.each is not None:
        listed = follow(document, kind.each)
        if not isinstance(listed, list):
            found = "nothing" if listed is MISSING else told(listed)
            raise ReadingError(
                f"A list of readings was expected at {kind.format.each!r}; there is {found}."
            )
        return ((_said(kind, entry, document), entry) for entry in listed)
    common = _said(kind, document, document)
    if kind.format.columns:
        count, columns = squared(common)
        described = [{role: column[i] for role, column in columns.items()} for i in range(count)]
        return ((each, each) for each in described)
    if kind.values:
        values = [(name, follow(document, at)) for at, name in kind.values.items()]
        present = [
            ({**common, "name": name, "value": value}, document)
            for name, value in values
            if value is not MISSING
        ]
        if not present:
            raise ReadingError(
                "None of the declared values is in the message: "
                f"{', '.join(map(repr, kind.format.values))}.{_keys(document, '')}"
            )
        return present
    return ((common, document),)


def sequences(kind: Kind, document: object) -> list[int]:
    """The source's own numbers in a message, as far as they can be made out."""
    where = kind.where.get("sequence")
    if where is None:
        return []
    found = [follow(document, where)]
    if kind.each is not None:
        listed = follow(document, kind.each)
        if isinstance(listed, list):
            found += [follow(entry, where) for entry in listed]
    elif isinstance(found[0], list):
        found = found[0]
    return [n for n in dict.fromkeys(n for n in found if type(n) is int) if 0 <= n < 2**63]


def _said(kind: Kind, entry: object, document: object) -> Told:
    said: Told = {}
    for role, where in kind.where.items():
        found = follow(entry, where)
        if found is MISSING and entry is not document:
            found = follow(document, where)
        if found is not MISSING:
            said[role] = found
    return said


def _value(said: Told, seen: object, kind: Kind) -> tuple[float, bool]:
    """The raw number, and whether the reading is taken back.

    Raises:
        ReadingError: neither.
    """
    taken_back = said.get("retracted", False)
    if taken_back is True:
        return math.nan, True
    if taken_back not in (False, None):
        raise ReadingError(
            f"{told(taken_back)} at {kind.format.retracted!r} is neither true nor false."
        )
    value = said.get("value", MISSING)
    if value is MISSING:
        raise ReadingError(
            f"There is no value at {kind.format.value!r}.{_keys(seen, kind.format.value)}"
        )
    if value is None:
        if said.get("revision") is not None:
            return math.nan, True
        raise ReadingError(
            "The value is null. A reading that is taken back has a revision beside it; one that "
            "was not measured is not sent."
        )
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ReadingError(f"The value {told(value)} is not a number.{_number_in(value)}")
    try:
        number = float(value)
    except OverflowError as error:
        raise ReadingError(f"The value {told(value)} is too large for a number.") from error
    if not math.isfinite(number):
        raise ReadingError(f"The value {number} is not a finite number.")
    return number, False


def _count(said: Told, role: str, default: int) -> int:
    found = said.get(role)
    if found is None:
        return default
    if type(found) is not int or not 0 <= found <= _LARGEST[role]:
        raise ReadingError(
            f"The {role} {told(found)} is not a whole number from 0 to {_LARGEST[role]}."
        )
    return found


def _number_in(value: object) -> str:
    if isinstance(value, str):
        try:
            float(value)
        except ValueError:
            return ""
        return " Did you mean the number without quotes?"
    if isinstance(value, dict | list):
        return " Does the pointer lead too short a way?"
    return ""


def _keys(seen: object, asked: str) -> str:
    if not isinstance(seen, dict) or not seen:
        return ""
    return nearest(asked, ("/" + str(key)[:60] for key in list(seen)[:50]))
