"""What is to be seen of a twin besides its numbers: a map, and the cycles of its signals.

Declared by who knows the thing, drawn by who draws pages. Nothing here has a value of its own:
what stands at a mark, and where a control stands, is told by the twin.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum

Place = tuple[float, float]
"""Metres to the east and to the north of the map's own origin."""


class Shows(Enum):
    """What a light shows."""

    GREEN = "green"
    YELLOW = "yellow"
    RED = "red"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Road:
    """A line on the ground."""

    points: tuple[Place, ...]
    """Two at least."""
    lanes: int = 1


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that reads, where it stands."""

    name: str
    at: Place | None
    """None where that is not known: it is told, and not drawn."""
    road: str = ""
    """Where that is, in words."""
    reads: Mapping[str, str] = field(default_factory=dict)
    """By quantity, as in ``count``: the variable that is read there."""


@dataclass(frozen=True, slots=True)
class Ground:
    """A map."""

    roads: tuple[Road, ...]
    marks: tuple[Mark, ...]
    signals: Mapping[str, Place] = field(default_factory=dict)
    """By name."""
    attribution: str = ""
    """Whose map it is; shown with it."""
    left_out: int = 0
    """Roads that are there and not drawn."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """What a group of lights shows for a while. Seconds into the cycle."""

    begin_s: float
    end_s: float
    shows: Shows


@dataclass(frozen=True, slots=True)
class Lights:
    """Lights of one signal that always show the same."""

    name: str
    """Their numbers, as the controller has them."""
    told: str
    """Whom they let pass, in words."""
    stretches: tuple[Stretch, ...]
    """In their order, together the whole cycle."""
    least_green_s: float | None = None
    """None where no limit is known."""


@dataclass(frozen=True, slots=True)
class Cycle:
    """One programme of one signal."""

    lasts_s: float
    offset_s: float
    """When it begins: at this and all multiples of its length."""
    lights: tuple[Lights, ...]


@dataclass(frozen=True, slots=True)
class Signal:
    """One controller."""

    name: str
    cycle: Callable[[Mapping[str, float]], Cycle] | None
    """Its cycle when its controls stand so; None where it has none that could be drawn."""
    controls: Mapping[str, float] = field(default_factory=dict)
    """What may be set of it, with where its own programme has it; empty where nothing may."""
    program: str = ""
    """What its own programme is called."""
    told: str = ""
    """What is to be known of it beside that."""


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything that is to be seen of one twin."""

    ground: Ground
    signals: tuple[Signal, ...] = ()
