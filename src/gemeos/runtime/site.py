"""What is to be run: a site with its clock, its links and its twins, declared in Python.

``site.toml`` says the same in a file (``runtime.settings``).
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeAlias

from gemeos.clock import Clock
from gemeos.errors import SettingsError, UnknownNameError
from gemeos.link.base import Source
from gemeos.link.channels import Channels
from gemeos.runtime.actuation import ActuatorLink
from gemeos.runtime.twin import Twin
from gemeos.schema.binding import Binding
from gemeos.schema.reading import SeriesBook
from gemeos.units import instant, zone
from gemeos.units.instant import SECOND, Instant, Span

DEFAULT_KEYFRAMES_EVERY = 600 * SECOND


@dataclass(frozen=True, slots=True)
class WallTime:
    """Site time is wall time."""


@dataclass(frozen=True, slots=True)
class Replay:
    """Site time is what a replayed plant publishes."""

    start: Instant
    """Until the plant is first heard."""
    speed: float
    """How much faster than life; for telling only."""
    label: str
    """Shown wherever something is shown: ``recorded 2014-03-14, x600``."""


ClockDomain: TypeAlias = WallTime | Replay


@dataclass(frozen=True, slots=True)
class LinkContext:
    """What a link is given when it is opened."""

    bindings: tuple[Binding, ...]
    """Those of this link."""
    units: Mapping[tuple[str, str], str]
    """Declared unit by (twin, variable)."""
    book: SeriesBook
    clock: Clock
    receipts: Sequence[bytes]
    """Fingerprints of messages that are stored already."""
    newest: Instant | None
    """``valid_at`` of the newest stored reading of this link; None where there is none."""

    def channels(self, link: str, unwanted: Iterable[str] = ()) -> Channels:
        """The channels of that link, ready to turn raw numbers into declared units."""
        return Channels(link, self.bindings, self.units, self.book, unwanted=unwanted)


class Link(Protocol):
    """A connection that is declared, and not yet open."""

    @property
    def name(self) -> str:
        """How bindings and series name it."""
        ...

    def open(self, context: LinkContext) -> Source:
        """The source, not yet entered."""
        ...


@dataclass(frozen=True)
class Site:
    """A declared site."""

    name: str
    twins: tuple[Twin, ...] = ()
    links: tuple[Link, ...] = ()
    actuators: tuple[ActuatorLink, ...] = ()
    """Connections to the devices that are set; apart from those that readings come by."""
    clock: ClockDomain = field(default_factory=WallTime)
    zone: str = "UTC"
    """IANA name; days, and times written without an offset, follow it."""
    store: Path | None = None
    """The timeline's file; None keeps everything in memory and forgets it at the end."""
    keyframes_every: Span = DEFAULT_KEYFRAMES_EVERY
    """Event time between two stored states of a twin."""
    notes: Mapping[str, str] = field(default_factory=dict)
    """What should be shown about the site, by heading."""

    def __post_init__(self) -> None:
        zone(self.zone)
        known = [link.name for link in self.links]
        devices = [actuator.name for actuator in self.actuators]
        kinds = (("link", known), ("actuator", devices), ("twin", self.twin_names))
        for kind, names in kinds:
            twice = sorted(n for n, times in Counter(names).items() if times > 1)
            if twice:
                raise SettingsError(f"Two {kind}s are named {', '.join(twice)}.")
        for twin in self.twins:
            for binding in twin.bindings:
                if binding.series.link not in known:
                    raise UnknownNameError("link", binding.series.link, known, where=self.name)
            for actuation in twin.actuations.values():
                if actuation.actuator not in devices:
                    raise UnknownNameError("actuator", actuation.actuator, devices, where=self.name)

    @property
    def idle_limits(self) -> list[str]:
        """Limits that change nothing: whoever wrote them may have meant something else."""
        return [
            f"{twin.name}: {told}"
            for twin in self.twins
            for actuation in twin.actuations.values()
            for told in actuation.idle_limits
        ]

    @property
    def twin_names(self) -> list[str]:
        """In the order of declaration."""
        return [twin.name for twin in self.twins]

    def instant(self, when: str | dt.datetime) -> Instant:
        """``when``, read in the site's zone where it names no offset."""
        return instant(when, zone=zone(self.zone))

    @property
    def source(self) -> str:
        """What estimates rest on: ``live``, or the label of what is replayed."""
        return self.clock.label if isinstance(self.clock, Replay) else "live"
