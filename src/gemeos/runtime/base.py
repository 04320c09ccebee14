"""Ports of a running site: what its rooms need of it, each as much as it does.

Whoever needs more than is here says so beside where it is used, on top of these.
"""

from __future__ import annotations

from typing import Protocol

from gemeos.clock import Clock
from gemeos.runtime.compute import Compute
from gemeos.runtime.fleet import Fleet
from gemeos.runtime.site import Site
from gemeos.runtime.strand import Strand
from gemeos.runtime.twin import Twin
from gemeos.timeline.base import Timeline


class Remembers(Protocol):
    """What it is, and was."""

    @property
    def clock(self) -> Clock:
        """Site time."""
        ...

    @property
    def timeline(self) -> Timeline:
        """The memory; it is written to from any thread."""
        ...


class Works(Remembers, Protocol):
    """What is done beside other things."""

    @property
    def compute(self) -> Compute:
        """The threads of all together."""
        ...

    def strand(self, twin: str) -> Strand:
        """Those on which a twin is changed, asked and acted by."""
        ...


class Declares(Protocol):
    """What was said of it before it ran."""

    @property
    def site(self) -> Site:
        """As declared."""
        ...

    def twin(self, name: str) -> Twin:
        """The declared twin."""
        ...


class Houses(Protocol):
    """Where twins live."""

    def fleet(self, twin: str) -> Fleet:
        """The fleet that holds it."""
        ...
