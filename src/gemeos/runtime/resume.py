"""Starting again after whatever ended the last run. There is no other way to start.

A graceful stop writes nothing that a ``kill -9`` would not have left: a twin always begins from
its newest keyframe, or before its first reading, and goes through the stored readings after it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from gemeos.ensemble.state import TwinState, joined
from gemeos.errors import TimelineError
from gemeos.runtime.fleet import Fleet
from gemeos.runtime.keyframe import Carried, carried, packed, unpacked
from gemeos.runtime.twin import Twin
from gemeos.schema.reading import Readings
from gemeos.timeline.base import Event, Keyframe, Timeline
from gemeos.units import iso

logger = logging.getLogger(__name__)

_EVER = 2**62
TWINS_AT_ONCE = 4096
"""Twins whose keyframes are read and put back together."""
AT_ONCE = 5_000
"""Least number of stored readings gone through between two looks at what is final ..."""
INSTANTS_AT_ONCE = 8
"""... and of a large fleet so many of each channel."""


def restored(fleet: Fleet, timeline: Timeline) -> dict[str, int]:
    """Put the twins back to their newest keyframes, and say which instants these are of.

    One of another model, filter or leads is carried over by the names of its variables, and told.
    """
    since = dict.fromkeys(fleet.names, -_EVER)
    for first in range(0, len(fleet.names), TWINS_AT_ONCE):
        found = timeline.keyframes_newest(fleet.names[first : first + TWINS_AT_ONCE])
        states: dict[str, TwinState] = {}
        changed: list[tuple[Keyframe, Carried]] = []
        for name, keyframe in found.items():
            try:
                if keyframe.model == fleet.identity:
                    states[name] = unpacked(fleet, name, keyframe.state)
                else:
                    change = carried(fleet, name, keyframe.state)
                    states[name] = change.state
                    changed.append((keyframe, change))
            except TimelineError as error:
                logger.warning("%s begins again from its first reading: %s", name, error)
                continue
            since[name] = keyframe.valid_at
        if states:
            fleet.restore(list(states), joined(list(states.values())))
        if changed:
            _tell(fleet, changed, timeline)
    begun = [at for at in since.values() if at != -_EVER]
    if begun:
        logger.info(
            "%d of %d twins begin at their keyframes of %s to %s",
            len(begun),
            len(since),
            iso(min(begun)),
            iso(max(begun)),
        )
    return since


def _tell(fleet: Fleet, changed: Sequence[tuple[Keyframe, Carried]], timeline: Timeline) -> None:
    """Store these states as the new model has them, and events that say what became of them."""
    # In the new model's rows, so that the change is told once and not at every start.
    timeline.put_keyframes(
        [
            replace(was, model=fleet.identity, state=packed(fleet, was.twin, change.state))
            for was, change in changed
        ]
    )
    for was, change in changed:
        logger.warning(
            "%s has another model, filter or forecasts than before, from its keyframe of %s on: "
            "kept %s; begun from priors: %s; dropped: %s",
            was.twin,
            iso(was.valid_at),
            ", ".join(change.kept) or "nothing",
            ", ".join(change.begun) or "nothing",
            ", ".join(change.dropped) or "nothing",
        )
    timeline.put_events(
        [
            Event(
                kind="model_changed",
                twin=was.twin,
                valid_at=was.valid_at,
                actor="runtime",
                cause="the declared model, filter or forecasts",
                body={
                    "before": was.model,
                    "after": fleet.identity,
                    "kept": ", ".join(change.kept),
                    "begun": ", ".join(change.begun),
                    "dropped": ", ".join(change.dropped),
                },
            )
            for was, change in changed
        ],
        known_at=max(was.known_at for was, _ in changed),
    )


def stored(
    fleet: Fleet, twins: Mapping[str, Twin], since: Mapping[str, int], timeline: Timeline
) -> Iterator[tuple[Readings, int, int]]:
    """The readings behind each twin's keyframe, by event time, all twins' together.

    Together, because a fleet goes through an instant of many twins for hardly more than of one; by
    event time, because a channel may feed several twins, and none may become final ahead of its
    own readings.

    Yields:
        Some of them, how many the fleet is brought to with them, and how many there are in all.
    """
    begins: dict[int, int] = {}
    for name in fleet.names:
        for binding in twins[name].bindings:
            number = timeline.book.number(binding.series)
            begins[number] = min(since[name], begins.get(number, since[name]))
    # One question for all: of ten thousand twins each would cost as much as this one.
    whole = timeline.range(list(begins), min(begins.values(), default=_EVER), _EVER)
    behind = np.full(max(begins, default=-1) + 1, _EVER, np.int64)
    behind[list(begins)] = list(begins.values())
    whole = whole[whole.valid_at > behind[whole.series]]
    whole = whole[np.argsort(whole.valid_at, kind="stable")]
    at_once = max(AT_ONCE, INSTANTS_AT_ONCE * sum(len(c) for c in fleet.channels))
    for first in range(0, len(whole), at_once):
        piece = whole[first : first + at_once]
        yield piece, first + len(piece), len(whole)
