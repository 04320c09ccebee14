"""How the JSON messages of a link become readings: declared, not programmed.

A message is one reading, a list of readings (``each``), several values (``values``) or columns
(``columns``). Where something stands in it is told by JSON pointers (RFC 6901).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import Enum
from typing import Final, TypeAlias

from gemeos.errors import SettingsError, TimeError, nearest
from gemeos.units import zone

Pointer: TypeAlias = tuple[str, ...]
"""A JSON pointer's reference tokens, unescaped."""

NAME: Final = "name"
"""The piece of a channel template that the message itself fills."""
_PIECE = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
_BAD_ESCAPE = re.compile(r"~(?![01])")


class TimeForm(Enum):
    """How a message writes a time."""

    ISO = "iso"
    """Text as in ``2026-07-01T03:10:00+09:00``; without an offset it is in the declared zone."""
    SECONDS = "s"
    """Seconds since 1970, whole or not."""
    MILLISECONDS = "ms"
    MICROSECONDS = "us"


@dataclass(frozen=True, slots=True)
class MessageFormat:
    """One kind of message of a link.

    A pointer that a row of ``each`` lacks is looked up in the message itself, so that what is
    common to all rows is told once. With ``columns`` a pointer finds a list with one entry a
    reading, or one entry for all of them.
    """

    topic: str
    """As in ``farm/{turbine}/{tag}``; ``+`` and a last ``#`` match what has no name."""
    channel: str = ""
    """Its channel, as in ``{turbine}/{tag}``; ``{name}`` is what ``name`` or ``values`` tells.
    Empty for all pieces of the topic and then the name, joined by ``/``."""
    value: str = "/value"
    values: Mapping[str, str] = field(default_factory=dict)
    """Pointer to name, for a message that holds several values at once; instead of ``value``."""
    each: str | None = None
    """Pointer to the list of readings, one row each; the other pointers then start there."""
    columns: bool = False
    """The pointers find columns."""
    name: str | None = None
    """Pointer to what the message calls the channel."""
    valid_at: str | None = "/valid_at"
    valid_from: str | None = None
    """Start of the interval that a reading covers."""
    time: TimeForm = TimeForm.ISO
    zone: str | None = None
    """IANA zone of times that are written without an offset; without it they are refused."""
    first_arrival: bool = False
    """A reading without a time is valid when it first arrives."""
    sample: str | None = None
    revision: str | None = None
    """The source's count of corrections, from 0; with it a null value takes the reading back."""
    retracted: str | None = None
    """Pointer to true where the source takes the reading back."""
    sequence: str | None = None
    """The source's own count of messages or readings, for the notice of what is durable."""
    quality: str | None = None
    good: tuple[str | int | bool, ...] = ("good",)
    """What stands at ``quality`` when the source does not doubt the reading."""
    unit: str | None = None
    """Pointer to the unit that the message tells; another one than the channel's is refused."""

    def __post_init__(self) -> None:
        topic_filter(self.topic)
        for role in POINTERS:
            pointer(getattr(self, role), of=role)
        for each in self.values:
            pointer(each, of="values")
        _agreeing(self)
        if self.zone is not None:
            try:
                zone(self.zone)
            except TimeError as error:
                raise SettingsError(f"Format of {self.topic!r}: {error}") from error
        pieces = self.pieces
        if set(_PIECE.sub("", self.channel)) & {"{", "}"}:
            raise SettingsError(
                f"Channel template {self.channel!r}: a piece is written as in '{{turbine}}'."
            )
        for piece in _PIECE.findall(self.channel):
            if piece not in pieces:
                raise SettingsError(
                    f"Channel template {self.channel!r} has a piece {piece!r} that neither the "
                    f"topic {self.topic!r} nor 'name' or 'values' fills."
                    f"{nearest(piece, pieces)}"
                )

    @property
    def pieces(self) -> tuple[str, ...]:
        """The names that the channel template may use."""
        named = self.name is not None or bool(self.values)
        return (*_PIECE.findall(self.topic), *((NAME,) if named else ()))

    @property
    def filter(self) -> str:
        """The MQTT topic filter that subscribes to it."""
        return topic_filter(self.topic)

    @property
    def template(self) -> str:
        """The channel template, also where it was left empty."""
        return self.channel or "/".join(f"{{{piece}}}" for piece in self.pieces)

    def matched(self, topic: str) -> Mapping[str, str] | None:
        """The topic's pieces by name, or None where it is not of this format."""
        found = re.fullmatch(_topic_pattern(self.topic), topic)
        return None if found is None else found.groupdict()


POINTERS: Final = (
    "value",
    "each",
    "name",
    "valid_at",
    "valid_from",
    "sample",
    "revision",
    "retracted",
    "sequence",
    "quality",
    "unit",
)
"""The fields of ``MessageFormat`` that hold a pointer."""


@dataclass(frozen=True, slots=True)
class PlantTopics:
    """What a replayed or instrumented plant says beside its readings, and wants to hear."""

    clock: str | None = None
    """Topic on which it tells its time."""
    time: str = "/time"
    """Pointer to the time in a clock message."""
    form: TimeForm = TimeForm.ISO
    end: str | None = None
    """Topic of the message that says that its record is at the end. A retained one is not
    believed: it may be an earlier run's."""
    committed: str | None = None
    """Topic on which it is told which of its sequence numbers are durable."""

    def __post_init__(self) -> None:
        pointer(self.time, of="time")
        for each in fields(self):
            topic = getattr(self, each.name)
            if each.name in {"clock", "end", "committed"} and topic is not None:
                _plain_topic(topic, each.name)


def pointer(text: str | None, *, of: str = "") -> Pointer | None:
    """The tokens of a JSON pointer; None for None.

    Raises:
        SettingsError: not a JSON pointer; ``of`` names the setting.
    """
    if text is None:
        return None
    if text and not text.startswith("/"):
        raise SettingsError(
            f"{of} = {text!r} is not a JSON pointer. Did you mean {'/' + text!r}? "
            "'' is the whole message."
        )
    if _BAD_ESCAPE.search(text):
        raise SettingsError(
            f"{of} = {text!r}: in a JSON pointer '~' is written '~0', and '/' in a name '~1'."
        )
    return tuple(t.replace("~1", "/").replace("~0", "~") for t in text.split("/")[1:])


def topic_filter(template: str) -> str:
    """The MQTT topic filter of a topic template: a level with a named piece becomes ``+``.

    Raises:
        SettingsError: not a topic template.
    """
    names = _PIECE.findall(template)
    levels = template.split("/")
    rest = _PIECE.sub("", template)
    if not template or "\0" in template:
        raise SettingsError(f"Topic {template!r} is empty or holds a null character.")
    if "{" in rest or "}" in rest:
        raise SettingsError(
            f"Topic {template!r}: a piece is written as in '{{turbine}}', with letters, digits "
            "and underscores."
        )
    if len(set(names)) < len(names) or NAME in names:
        raise SettingsError(
            f"Topic {template!r}: each piece has a name of its own, and {NAME!r} is kept for what "
            "the message calls the channel."
        )
    for place, level in enumerate(levels):
        last = place == len(levels) - 1
        if ("+" in level and level != "+") or ("#" in level and not (level == "#" and last)):
            raise SettingsError(
                f"Topic {template!r}: '+' stands for a whole level, '#' for all levels at the end."
            )
    return "/".join("+" if _PIECE.search(level) else level for level in levels)


def _topic_pattern(template: str) -> str:
    levels = []
    for level in template.split("/"):
        if level == "+":
            levels.append("[^/]*")
        elif level == "#":
            levels.append(".*")
        else:
            parts = _PIECE.split(level)  # literal, name, literal, name, ...
            levels.append(
                "".join(
                    f"(?P<{part}>[^/]+)" if place % 2 else re.escape(part)
                    for place, part in enumerate(parts)
                )
            )
    # MQTT: 'a/#' is 'a' as well.
    return "(?s:" + "/".join(levels).replace("/.*", "(?:/.*)?") + ")"


def _plain_topic(topic: str, role: str) -> None:
    if not topic or any(c in topic for c in "+#{}\0"):
        raise SettingsError(f"{role} = {topic!r} must be one topic, without '+', '#' and pieces.")


def _agreeing(told: MessageFormat) -> None:
    """Refuse what contradicts itself.

    Raises:
        SettingsError: it does; the message says what to change.
    """
    where = f"Format of {told.topic!r}: "
    if told.columns and (told.each is not None or told.values):
        raise SettingsError(f"{where}'columns' goes with neither 'each' nor 'values'.")
    if told.values and told.name is not None:
        raise SettingsError(f"{where}'values' names the channels, so 'name' must go.")
    if told.valid_at is None and not told.first_arrival:
        raise SettingsError(
            f"{where}no 'valid_at'. If its messages tell no time, say so: first_arrival = true."
        )
    if told.valid_from is not None and told.valid_at is None:
        raise SettingsError(f"{where}'valid_from' without 'valid_at'.")
    if told.zone is not None and told.time is not TimeForm.ISO:
        raise SettingsError(f"{where}'zone' is for written times; a number is in UTC.")
    if not told.template:
        raise SettingsError(
            f"{where}nothing tells the channel. Give 'channel', or name a piece of the topic."
        )
