"""Starting again after whatever ended the last run. There is no other way to start.

A graceful stop writes nothing that a ``kill -9`` would not have left: a twin always begins from
its newest keyframe, or before its first reading, and goes through the stored readings after it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from gemeos.ensemble.state import TwinState
from gemeos.runtime.fleet import Fleet
from gemeos.runtime.twin import Twin
from gemeos.timeline.base import Event, Timeline
from gemeos.units import iso

logger = logging.getLogger(__name__)

_EVER = 2**62


def resumed(fleet: Fleet, twins: Mapping[str, Twin], timeline: Timeline) -> None:
    """Bring the twins of a fleet to where the stored readings lead."""
    for name in fleet.names:
        keyframe = timeline.keyframe_before(name, _EVER)
        since = -_EVER
        if keyframe is not None and keyframe.model == fleet.cycle.identity:
            fleet.restore(name, TwinState.from_bytes(keyframe.state))
            since = keyframe.valid_at
        elif keyframe is not None:
            _tell_changed(fleet, name, keyframe.model, keyframe.valid_at, timeline)
        numbers = [timeline.book.number(b.series) for b in twins[name].bindings]
        stored = timeline.range(numbers, since, _EVER)
        taken = fleet.take(stored, timeline.book)
        if taken.changed:
            logger.info(
                "%s resumed: %d stored readings gone through%s",
                name,
                len(stored),
                f" from its keyframe of {iso(since)}" if since != -_EVER else "",
            )


def _tell_changed(fleet: Fleet, name: str, was: str, valid_at: int, timeline: Timeline) -> None:
    logger.warning("%s has another model or filter than before: it starts again from its log", name)
    timeline.put_event(
        Event(
            kind="model_changed",
            twin=name,
            valid_at=valid_at,
            actor="runtime",
            cause="the declared model or filter",
            body={"before": was, "after": fleet.cycle.identity},
        ),
        known_at=valid_at,
    )
