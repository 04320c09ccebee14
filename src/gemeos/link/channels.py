"""The channels of one link that are bound, and how their raw numbers become values."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from fnmatch import translate
from typing import Final, final

import numpy as np
from jaxtyping import Float64, Int, Int32, Int64

from gemeos.errors import SchemaError, UnitError, nearest
from gemeos.schema.binding import Binding
from gemeos.schema.reading import Series, SeriesBook
from gemeos.units import conversion
from gemeos.units.instant import Instant

LONGEST_NAME_TOLD: Final = 120
_FEW: Final = 100
_NEIGHBOURS: Final = 40
_MOST_REMEMBERED: Final = 1000
_LONGEST_UNIT: Final = 40
_TOWER: Final = re.compile(r"\d\s*(\*\*|\^)|\d{3}|[eE]\d")
_ALWAYS: Final = int(np.iinfo(np.int64).min)


@final
class Channels:
    """Bound channels by name, numbered from zero: their *rows*.

    A channel may be bound to several twins, and anew from some instant on (a swapped sensor). A
    raw number is converted as the binding with the latest ``since`` not after ``valid_at`` says;
    before the first of them as the first says.
    """

    def __init__(
        self,
        link: str,
        bindings: Iterable[Binding],
        units: Mapping[tuple[str, str], str],
        book: SeriesBook,
        *,
        unwanted: Iterable[str] = (),
    ) -> None:
        """Rows for those of ``bindings`` that are of ``link``.

        Args:
            link: Name of the link.
            bindings: Those of other links are passed over.
            units: Declared unit by (twin, variable).
            book: Where the series are entered.
            unwanted: Patterns as in ``*/Wa_avg`` of channels that come and are not asked for.

        Raises:
            SchemaError: two bindings of a channel want different numbers of one reading.
            UnitError: a binding's unit does not fit its variable's.
        """
        self.link = link
        mine: dict[str, list[Binding]] = {}
        for binding in bindings:
            if binding.series.link == link:
                mine.setdefault(binding.series.channel, []).append(binding)
        self.names = tuple(mine)
        """Channels by row."""
        self.rows: Mapping[str, int] = {name: row for row, name in enumerate(mine)}
        """Row by channel."""
        self.series: Int32[np.ndarray, " row"] = np.array(
            [book.number(Series(link, name)) for name in mine], np.int32
        )
        laws = [_laws(of_one, units) for of_one in mine.values()]
        self._scale = np.array([each[0][1] for each in laws], np.float64)
        self._offset = np.array([each[0][2] for each in laws], np.float64)
        self._later = {row: each[1:] for row, each in enumerate(laws) if len(each) > 1}
        self._units = tuple(
            next((b.unit for b in of_one if b.unit is not None), None)
            or units[of_one[0].twin, of_one[0].variable]
            for of_one in mine.values()
        )
        self._sorted = sorted(mine)
        self._backwards = sorted(name[::-1] for name in mine)
        self._unwanted = [re.compile(translate(pattern)) for pattern in unwanted]
        self._told: dict[str, str] = {}
        self._same_unit: dict[tuple[int, str], bool | UnitError] = {}

    def __len__(self) -> int:
        return len(self.names)

    def values(
        self,
        row: Int[np.ndarray, " reading"],
        raw: Float64[np.ndarray, " reading"],
        valid_at: Int64[np.ndarray, " reading"],
    ) -> Float64[np.ndarray, " reading"]:
        """Raw numbers in the units of the variables; infinite where one leaves the range."""
        with np.errstate(over="ignore", invalid="ignore"):
            told = raw * self._scale[row] + self._offset[row]
            for swapped, laws in self._later.items():
                for since, scale, offset in laws:
                    rows = (row == swapped) & (valid_at >= since)
                    told[rows] = raw[rows] * scale + offset
        return told

    def unit(self, row: int) -> str:
        """The unit that a message of this channel is expected to tell."""
        return self._units[row]

    def is_of_unit(self, row: int, unit: str) -> bool:
        """Whether ``unit``, which came in a message, means what the channel is declared in.

        Raises:
            UnitError: there is no such unit, or it is too odd to be looked up.
        """
        if unit == self._units[row]:
            return True
        found = self._same_unit.get((row, unit))
        if found is None:
            # What is looked up is evaluated: a stranger's text must be short and without towers
            # of powers, and there must not be ever more of it.
            if (
                len(unit) > _LONGEST_UNIT
                or _TOWER.search(unit)
                or len(self._same_unit) >= _MOST_REMEMBERED
            ):
                raise UnitError(f"{unit[:_LONGEST_UNIT]!r} is not looked up as a unit.")
            # Imported here: pint is slow to be ready, and most messages tell no other unit.
            from gemeos.units.registry import unit_of  # noqa: PLC0415

            try:
                found = unit_of(unit) == unit_of(self._units[row])
            except UnitError as error:
                found = error
            self._same_unit[row, unit] = found
        if isinstance(found, UnitError):
            raise found
        return found

    def is_unwanted(self, asked: str) -> bool:
        """Whether the site declared that it does not want that channel. A bound one it does."""
        return asked not in self.rows and any(p.match(asked) for p in self._unwanted)

    def unknown(self, asked: str) -> str:
        """The sentence for a channel that is not bound, with the nearest that is."""
        asked = asked[:LONGEST_NAME_TOLD]
        told = self._told.get(asked)
        if told is None:
            start = f"Link {self.link!r} has no channel {asked!r}."
            # A guess costs milliseconds: somebody who sends ever new names does not get one.
            if len(self._told) >= _MOST_REMEMBERED:
                return start
            told = self._told[asked] = start + self._guess(asked)
        return told

    def _guess(self, asked: str) -> str:
        if len(self.names) <= _FEW:
            return nearest(asked, self.names)
        # difflib compares with each name; among thousands only those that sort beside it, read
        # from either end, can be meant.
        at = bisect_left(self._sorted, asked)
        near = self._sorted[max(at - _NEIGHBOURS, 0) : at + _NEIGHBOURS]
        at = bisect_left(self._backwards, asked[::-1])
        near += [n[::-1] for n in self._backwards[max(at - _NEIGHBOURS, 0) : at + _NEIGHBOURS]]
        close = get_close_matches(asked, near, n=1)
        guess = f" Did you mean {close[0]!r}?" if close else ""
        return f"{guess} There are {len(self.names)}, such as {', '.join(near[:5])}."


def _laws(
    bindings: list[Binding], units: Mapping[tuple[str, str], str]
) -> list[tuple[Instant, float, float]]:
    """(since, scale, offset) from raw to declared, by ``since``."""
    laws: dict[Instant, tuple[float, float]] = {}
    for binding in bindings:
        declared = units[binding.twin, binding.variable]
        of = conversion(declared if binding.unit is None else binding.unit, declared)
        law = (binding.scale * of[0], binding.offset * of[0] + of[1])
        since = _ALWAYS if binding.since is None else binding.since
        if laws.setdefault(since, law) != law:
            raise SchemaError(
                f"{binding.series} is bound twice with different units, scales or offsets. A "
                "reading is stored once, as one number: give both variables the same unit, or "
                "the bindings different 'since'."
            )
    return [(since, *laws[since]) for since in sorted(laws)]
