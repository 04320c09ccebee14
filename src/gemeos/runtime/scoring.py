"""What one applied plan brought, worked out from what is stored: the same whenever it is asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from gemeos.act.undertaking import Undertaking
from gemeos.assimilate.observe import Observed
from gemeos.ensemble.clause import Values
from gemeos.ensemble.state import UNTRUSTED, Monitor, TwinState
from gemeos.errors import AssimilationError, InputError
from gemeos.foresee.delivered import Delivered, delivered, undelivered
from gemeos.foresee.fork import Watch
from gemeos.foresee.relive import Lived, Reliving, Setting
from gemeos.foresee.worth import Objective
from gemeos.runtime.fleet import Fleet
from gemeos.runtime.heard import heard
from gemeos.runtime.ledger_row import AppliedPlan, Score, against_judging, is_inside
from gemeos.runtime.promise import objective_of
from gemeos.runtime.questions import crew_of
from gemeos.schema.choice import Text
from gemeos.schema.command import CommandState
from gemeos.schema.plan import Gain, Promise
from gemeos.schema.reading import Readings, SeriesBook
from gemeos.schema.variable import Control, number_of
from gemeos.simulate.advance import Stepper
from gemeos.units.instant import Instant, Span

MEMBERS: Final = 512
"""That a past is relived with, at least, where they are our own."""
UNKNOWN: Final = 0.5
"""Doubt of the share of the effect from which on readings tell too little; untold it is 1."""
UNMOVED: Final = 0.001
"""Of a control's range: it is read that much elsewhere where nobody moves it."""
_IN_FORCE: Final = {
    CommandState.TAKEN,
    CommandState.UNDONE,
    CommandState.OVERRIDDEN,
    CommandState.ACCEPTED,
}


@dataclass(frozen=True, slots=True, eq=False)
class Past:
    """What was known of the stretch that a plan promised something of."""

    before: TwinState
    """The twin at the grid instant before the plan was begun."""
    after: TwinState
    """It at the end of the horizon: which channels were trusted by then."""
    readings: Readings
    """Between the two."""
    book: SeriesBook
    known_by: Instant


def scored(
    fleet: Fleet,
    applied: AppliedPlan,
    promise: Promise,
    undertaking: Undertaking,
    others: Sequence[Undertaking],
    past: Past,
    watch: Watch | None = None,
) -> Score:
    """Hold a plan against what it promised.

    Args:
        fleet: That of the twin, or one like it.
        applied: The plan.
        promise: What it promised.
        undertaking: What was sent, and what came of it.
        others: Plans of the twin that were begun within its horizon.
        past: What is known of it.
        watch: Sees it go on; may raise to end it.
    """
    notes = against_judging(undertaking, others)
    found: Delivered | None = None
    try:
        found = _found(fleet, applied, promise, undertaking, past, watch)
    except (AssimilationError, InputError) as error:
        notes.append(f"it cannot be told: {error}")
    gain: Gain | None = None
    if found is not None and not found.readings:
        notes.append("nothing was read meanwhile")
    elif found is not None:
        promised = promise.gain
        low, high = found.interval(promised.share)
        gain = Gain(promised.of, promised.unit, found.mean, low, high, promised.share)
        if found.effect_sd > UNKNOWN:
            notes.append("what was read hardly tells what it brought")
    judged = gain is not None and not notes
    if found is not None and not found.fits:
        notes.append("what was read cannot be had from the model, whatever the plan did")
    return Score(
        twin=undertaking.twin,
        plan=undertaking.plan,
        stage=undertaking.stage,
        known_by=past.known_by,
        model=fleet.identity,
        origin=past.before.digest(),
        delivered=gain,
        effect=None if found is None else found.effect,
        effect_sd=None if found is None else found.effect_sd,
        readings=0 if found is None else found.readings,
        fits=found is None or found.fits,
        inside=is_inside(promise.gain, found.mean, found.sd) if judged and found else None,
        notes=tuple(notes),
    )


def _found(
    fleet: Fleet,
    applied: AppliedPlan,
    promise: Promise,
    undertaking: Undertaking,
    past: Past,
    watch: Watch | None,
) -> Delivered:
    twin, schema = undertaking.twin, fleet.schema
    objective = objective_of(schema, promise.objective, promise.sense)
    names = sorted(objective.names)
    told = fleet.cycle.stepper.told_names
    places = {v.name: place for place, v in enumerate(schema.driven)}
    settings = tuple(_settings(undertaking, places, applied))
    reports = not_before(settings, fleet, twin, past.readings, past.book)
    read = heard(fleet, twin, reports, past.book)
    reliving = Reliving(
        stepper=fleet.cycle.stepper,
        crew=crew_of(fleet, twin),
        state=past.before,
        read=_behind(read, int(past.before.tick[0])),
        settings=settings,
        standing={places[control]: value for control, value in applied.before.items()},
        unheard=_untrusted(past.before) | _untrusted(past.after),
    )
    step = schema.step
    lived = reliving.through(
        int(past.before.tick[0]) + promise.until // step,
        promise.every // step,
        [told.index(name) for name in names],
        members=members_relived(fleet),
        watch=watch,
    )
    return _concluded(objective, lived, names, fleet)


def members_relived(fleet: Fleet) -> int:
    """How many a past is relived with, at least.

    A simulation of an engine is a process: as many as the twin has anyway.
    """
    return MEMBERS if isinstance(fleet.cycle.stepper, Stepper) else fleet.members


def unlived(  # noqa: PLR0913 -- each is one thing that the caller decides
    fleet: Fleet,
    twin: str,
    objective: Objective,
    values: Mapping[str, float | int | str],
    past: Past,
    *,
    until: Span,
    every: Span,
    watch: Watch | None = None,
) -> tuple[Delivered, tuple[str, ...]]:
    """What a plan would have brought that nobody carried out, and whose controls somebody moved.

    Args:
        fleet: That of the twin, or one like it.
        twin: Its name.
        objective: What counts.
        values: Of controls and constants, in declared units or as texts of choices, from the
            beginning to the end.
        past: What is known of the window.
        until: How long it lasts.
        every: Between two instants that are looked at.
        watch: Sees it go on; may raise to end it.

    Raises:
        AssimilationError: too few members are left.
    """
    schema, told = fleet.schema, fleet.cycle.stepper.told_names
    names = sorted(objective.names)
    read = _behind(heard(fleet, twin, past.readings, past.book), int(past.before.tick[0]))
    numbers = {
        name: number_of(schema.variable(name), Text(value)) if isinstance(value, str) else value
        for name, value in values.items()
    }
    driven = {v.name: place for place, v in enumerate(schema.driven)}
    consts = {v.name: place for place, v in enumerate(schema.consts)}
    reliving = Reliving(
        stepper=fleet.cycle.stepper,
        crew=crew_of(fleet, twin),
        state=past.before,
        read=read,
        settings=(),
        standing={},
        unheard=_untrusted(past.before) | _untrusted(past.after),
        instead={driven[n]: value for n, value in numbers.items() if n in driven},
        consts={consts[n]: value for n, value in numbers.items() if n in consts},
    )
    lived = reliving.through(
        int(past.before.tick[0]) + until // schema.step,
        every // schema.step,
        [told.index(name) for name in names],
        members=members_relived(fleet),
        watch=watch,
    )
    found = undelivered(
        objective,
        _values(lived.nothing, names, fleet),
        _values(lived.plan, names, fleet),
        lived.ticks * schema.step,
        lived.relived,
        states=fleet.members,
    )
    moved = (n for n in numbers if n in driven and _is_moved(fleet, n, driven[n], past, read))
    return found, tuple(moved)


def _is_moved(fleet: Fleet, control: str, place: int, past: Past, read: Sequence[Observed]) -> bool:
    """Whether it was heard elsewhere than where it stood."""
    declared = fleet.schema.variable(control)
    least, most = declared.bounds if isinstance(declared, Control) else (None, None)
    reach = 0.0 if least is None or most is None else most - least
    stood = past.before.driven[0, place].reshape(-1)[0]
    heard_then = np.array(
        [each.driven_after[0, place] for each in read]
        + [each.driven_before[0, place] for each in read],
        np.float64,
    )
    return bool((np.abs(heard_then - stood) > UNMOVED * reach).any())


def _values(arm: np.ndarray, names: Sequence[str], fleet: Fleet) -> Values:
    return {n: (arm[:, i], fleet.schema.variable(n).unit) for i, n in enumerate(names)}


def _concluded(objective: Objective, lived: Lived, names: Sequence[str], fleet: Fleet) -> Delivered:
    return delivered(
        objective,
        _values(lived.nothing, names, fleet),
        _values(lived.plan, names, fleet),
        lived.ticks * fleet.schema.step,
        lived.relived,
        states=fleet.members,
    )


def _behind(read: Sequence[Observed], tick: int) -> list[Observed]:
    return [each for each in read if int(each.tick[0]) > tick]


def _settings(
    undertaking: Undertaking, places: dict[str, int], applied: AppliedPlan
) -> Iterator[Setting]:
    """Where controls were set, from the moment on; what a channel reports of them counts then."""
    for control, value in applied.before.items():
        yield Setting(applied.begun_at, places[control], value)
    for issued in undertaking.issued:
        place, at = places[issued.command.control], max(issued.command.valid_from, applied.begun_at)
        if issued.state in _IN_FORCE:
            yield Setting(at, place, issued.command.value)
        if issued.stands is None:
            continue
        if issued.state is CommandState.OVERRIDDEN:
            yield Setting(issued.since, place, issued.stands)
        if issued.state is CommandState.NOT_TAKEN:
            yield Setting(at, place, issued.stands)


def not_before(
    settings: Sequence[Setting], fleet: Fleet, twin: str, readings: Readings, book: SeriesBook
) -> Readings:
    """The readings without reports of controls that were made before these were set.

    A reading counts at the next instant of the grid, a setting at the one before: what a channel
    told of a control last would undo a setting that it knew nothing of.
    """
    step = fleet.schema.step
    is_old = np.zeros(len(readings), np.bool_)
    for channel in fleet.channels[fleet.place(twin)]:
        reports = readings.series == book.number(channel.binding.series)
        for each in settings:
            if each.place == channel.driven:
                meets = -(-readings.valid_at // step) >= each.at // step
                is_old |= reports & meets & (readings.valid_at <= each.at)
    return readings[~is_old]


def _untrusted(state: TwinState) -> frozenset[int]:
    verdicts = state.monitors[0, :, Monitor.VERDICT]
    return frozenset(np.flatnonzero(np.isin(verdicts, [int(v) for v in UNTRUSTED])).tolist())
