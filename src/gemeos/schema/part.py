"""Named pieces of a twin, and how they relate."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum


class Relation(Enum):
    """How one part stands to another."""

    FEEDS = "feeds"
    """Something flows from the one to the other: power, air, cars, blood."""
    ON = "on"
    """The one is mounted on, or lies on, the other."""
    NEAR = "near"
    """Close enough that what happens to the one says something about the other."""


@dataclass(frozen=True, slots=True)
class Related:
    """One relation between two parts of a twin."""

    source: str
    """Name of the part that feeds, lies on, or is near."""
    relation: Relation
    target: str


@dataclass(frozen=True, slots=True)
class Part:
    """A named piece of a twin; its variables are those of the schema named ``<part>.<name>``."""

    name: str
    type: str
    """What it is, for queries: ``turbine``, ``span``, ``machine``."""
    place: dict[str, float] = field(default_factory=dict)
    """Where it is and how large, by name with the unit in it: ``latitude_deg``, ``x_m``."""
