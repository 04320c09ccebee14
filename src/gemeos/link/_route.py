"""From a topic to the format of its messages, and from names to rows of the channels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, Final, final

from gemeos.errors import ReadingError
from gemeos.link._shape import MISSING, pointers, single, table
from gemeos.link._times import TimeReader, told
from gemeos.link.channels import Channels
from gemeos.link.format import NAME, MessageFormat, PlantTopics, TimeForm, pointer
from gemeos.units.instant import Instant

UNKNOWN: Final = -1
_MOST_NAMES: Final = 65_536


class Says(Enum):
    """What the messages of a topic are."""

    READINGS = "readings"
    CLOCK = "clock"
    END = "end"
    NOTHING = "nothing"
    """Of no declared format."""


@final
class Kind:
    """A format made ready: compiled where it can be, pointers parsed, times understood."""

    def __init__(self, declared: MessageFormat) -> None:
        self.format = declared
        self.time = TimeReader(declared.time, declared.zone)
        self.instant: Callable[[Any], Instant] = (
            self.time.text if declared.time is TimeForm.ISO else self.time.number
        )
        """For a raw time of the right type; for the hot path."""
        self.where = pointers(declared)
        if declared.values:
            del self.where["value"]
        self.each = pointer(declared.each, of="each")
        self.values = {(pointer(at) or ()): name for at, name in declared.values.items()}
        self.single = single(declared, self.time.wire)
        self.table = table(declared, self.time.wire)
        self.good = frozenset(_folded(word) for word in declared.good)

    def is_good(self, quality: object) -> bool:
        """Whether the source does not doubt the reading."""
        return isinstance(quality, str | int) and _folded(quality) in self.good


@final
class Route:
    """A topic: what its messages are and whose rows they can be of."""

    def __init__(
        self,
        says: Says,
        kind: Kind | None = None,
        pieces: Mapping[str, str] | None = None,
        channels: Channels | None = None,
    ) -> None:
        self.says = says
        self.kind = kind
        self.rows: dict[object, int] = {}
        """Row by name; for what has been looked up."""
        self.fixed = UNKNOWN
        """The row, where the topic alone tells it."""
        self._pieces = dict(pieces or {})
        self._channels = channels
        self._named = kind is not None and NAME in kind.format.pieces
        if kind is not None and channels is not None and f"{{{NAME}}}" not in kind.format.template:
            self.fixed = channels.rows.get(self.channel(MISSING), UNKNOWN)

    def channel(self, name: object) -> str:
        """The channel of a message that calls it ``name``."""
        if self.kind is None:
            return ""
        return self.kind.format.template.format_map(
            {**self._pieces, NAME: "" if name is MISSING else name}
        )

    def row(self, name: object) -> int:
        """The row of ``name``, or ``UNKNOWN``."""
        if self.fixed >= 0:
            return self.fixed
        if isinstance(name, bool) or not isinstance(name, str | int) or self._channels is None:
            return UNKNOWN
        found = self.rows.get(name)
        if found is None:
            found = self._channels.rows.get(self.channel(name), UNKNOWN)
            if found >= 0 and len(self.rows) < _MOST_NAMES:
                self.rows[name] = found
        return found

    def known_row(self, name: object) -> int:
        """The row of ``name``.

        Raises:
            ReadingError: there is none.
        """
        row = self.row(name)
        if row >= 0 or self._channels is None:
            return row
        if self._named and name is MISSING:
            raise ReadingError("The message does not tell its channel.")
        if name is not MISSING and (isinstance(name, bool) or not isinstance(name, str | int)):
            raise ReadingError(f"The channel {told(name)} is neither text nor a whole number.")
        raise ReadingError(self._channels.unknown(self.channel(name)))


@final
class Routes:
    """Routes by topic, remembered."""

    def __init__(
        self, formats: tuple[MessageFormat, ...], plant: PlantTopics, channels: Channels
    ) -> None:
        self.known: dict[str, Route] = {}
        """What has been looked up; for the hot path."""
        self._kinds = tuple(Kind(each) for each in formats)
        self._plant = plant
        self._channels = channels
        self._nothing = Route(Says.NOTHING)

    def of(self, topic: str) -> Route:
        """The route of ``topic``; of several formats that fit the first."""
        found = self.known.get(topic)
        if found is None:
            found = self._made(topic)
            # Only what leads somewhere: else whoever invents topics fills the memory.
            if found is not self._nothing:
                if len(self.known) >= _MOST_NAMES:
                    self.known.clear()
                self.known[topic] = found
        return found

    def _made(self, topic: str) -> Route:
        if topic == self._plant.clock:
            return Route(Says.CLOCK)
        if topic == self._plant.end:
            return Route(Says.END)
        for kind in self._kinds:
            pieces = kind.format.matched(topic)
            if pieces is not None:
                return Route(Says.READINGS, kind, pieces, self._channels)
        return self._nothing


def _folded(word: str | int) -> str | int:
    return word.casefold() if isinstance(word, str) else word
