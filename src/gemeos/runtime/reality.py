"""What is read, held against what a plan expects."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from gemeos.act.undertaking import Undertaking
from gemeos.act.verify import Watch, compared
from gemeos.errors import GemeosError
from gemeos.runtime.base import Declares, Houses, Works
from gemeos.runtime.feed import Feed
from gemeos.runtime.questions import Questions
from gemeos.schema.plan import Band
from gemeos.schema.variable import Sensor
from gemeos.units import conversion
from gemeos.units.instant import Instant


class Running(Works, Declares, Houses, Protocol):
    """What acting needs of the running site."""

    @property
    def feed(self) -> Feed:
        """Whom to tell."""
        ...

    @property
    def questions(self) -> Questions:
        """What the twins hold."""
        ...


def compared_with_reality(running: Running, undertaking: Undertaking) -> tuple[Watch, ...]:
    """Its watches, with what was read since.

    A sensor is compared by its readings, all else by the mean of what is held to be so.
    """
    if undertaking.stage.is_over:
        return undertaking.watches
    return tuple(_compared(running, undertaking, watch) for watch in undertaking.watches)


def _compared(running: Running, undertaking: Undertaking, watch: Watch) -> Watch:
    since = max(undertaking.begun_at, watch.until or 0)
    for at, value in seen(running, undertaking.twin, watch.band, since):
        watch = compared(watch, at, value)
    return watch


def seen(
    running: Running, twin: str, band: Band, since: Instant, until: Instant | None = None
) -> Iterator[tuple[Instant, float]]:
    """What was read of a band's variable, in the band's unit; up to now where ``until`` is None.

    What no channel reads is told once, as it is held to be now.
    """
    declared = running.twin(twin)
    variable = declared.schema.variable(band.variable)
    scale, offset = conversion(variable.unit, band.unit)
    book = running.timeline.book
    mine = [book.number(b.series) for b in declared.bindings if b.variable == band.variable]
    if not (isinstance(variable, Sensor) and mine):
        try:
            held = running.questions.now(twin)
        except GemeosError:
            return
        yield int(held.times[-1]), float(held[band.variable].mean[-1]) * scale + offset
        return
    read = running.timeline.range(mine, since, running.clock.now() if until is None else until)
    for at, value in zip(read.valid_at.tolist(), read.value.tolist(), strict=True):
        told = value * scale + offset
        ends = band.around(at)
        if variable.wraps is not None and ends is not None:
            turn = variable.wraps * scale
            told += round((sum(ends) / 2 - told) / turn) * turn
        yield at, told
