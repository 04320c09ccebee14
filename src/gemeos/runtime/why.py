"""Why did it move at 14:03: the chain of causes behind where a control stood."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from typing_extensions import override

from gemeos.timeline.base import Event, Timeline
from gemeos.units import iso
from gemeos.units.instant import Instant

MOVES: Final = ("command", "override")
"""Kinds of events with which a control moves."""
PAGE: Final = 500
LONGEST_CHAIN: Final = 50
_NUMBER: Final = re.compile(r"event (\d+)")
_MADE_OF: Final = re.compile(r"(scenario|optimisation) (\S+)")


@dataclass(frozen=True, slots=True)
class Why:
    """Where a control came to stand, and what led to it."""

    twin: str
    control: str
    at: Instant
    chain: tuple[Event, ...]
    """From the first cause to what moved it last; empty where nothing was sent to it by then."""
    came_of_it: tuple[Event, ...] = ()
    """What became of that command by then, the oldest first."""

    @property
    def moved(self) -> Event | None:
        """What moved it."""
        return self.chain[-1] if self.chain else None

    @override
    def __str__(self) -> str:
        if not self.chain:
            return f"Nothing was sent to {self.control} of {self.twin} by {iso(self.at)}."
        told = [_line(each) for each in (*reversed(self.chain), *self.came_of_it)]
        return "\n".join([f"{self.control} of {self.twin} at {iso(self.at)}:", *told])


def why(timeline: Timeline, twin: str, control: str, at: Instant) -> Why:
    """What last moved a control by then, and every cause that is known of it."""
    moved = _last_moved(timeline, twin, control, at)
    if moved is None:
        return Why(twin, control, at, ())
    chain, seen = [moved], {moved.number}
    waiting = list(_causes(timeline, moved))
    while waiting and len(chain) < LONGEST_CHAIN:
        event = waiting.pop(0)
        if event.number not in seen:
            seen.add(event.number)
            chain.append(event)
            waiting += _causes(timeline, event)
    chain.sort(key=lambda event: event.number)
    after = timeline.events(twin=twin, since=moved.valid_at - 1, until=at, limit=PAGE)
    same = [e for e in after if e.body.get("command") == moved.body.get("command")]
    later = sorted((e for e in same if e.number not in seen), key=lambda event: event.number)
    return Why(twin, control, at, tuple(chain), tuple(later))


def _last_moved(timeline: Timeline, twin: str, control: str, at: Instant) -> Event | None:
    """The newest event that moved it. Two kinds are gone through, a page at a time."""
    found = [_last(timeline, twin, kind, control, at) for kind in MOVES]
    known = [event for event in found if event is not None]
    return max(known, key=lambda event: (event.valid_at, event.number), default=None)


def _last(timeline: Timeline, twin: str, kind: str, control: str, at: Instant) -> Event | None:
    limit = PAGE
    while True:
        page = timeline.events(twin=twin, kind=kind, until=at, limit=limit)
        for event in page:
            if event.body.get("control") == control:
                return event
        if len(page) < limit:
            return None
        limit *= 4


def _causes(timeline: Timeline, event: Event) -> Iterator[Event]:
    """The events that it names as its cause; for a plan, what it was made of."""
    for number in _NUMBER.findall(event.cause):
        cause = timeline.event(int(number))
        if cause is not None:
            yield cause
    named = _MADE_OF.match(event.cause)
    if named is not None:
        kind, name = f"{named[1]}_begun", named[2]
        made = timeline.events(twin=event.twin, kind=kind, until=event.valid_at, limit=PAGE)
        yield from [each for each in made if each.body.get("name") == name][:1]


def _line(event: Event) -> str:
    names = ("told", "plan", "name", "changes", "state_at", "against", "of")
    told = [f"{event.body[name]}" for name in names if event.body.get(name) not in {None, ""}]
    return f"  {iso(event.valid_at)} {event.kind} by {event.actor}: {', '.join(told)}"
