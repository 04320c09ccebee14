"""Taking in what came too late: a re-run beside the live path, then one exchange of states.

A reading from before a twin's boundary is stored and told, and changes nothing at first. Healing
goes back to the newest keyframe before it, goes through the stored readings again up to the
boundary, stores the amended state there, and lets the live twin begin again from it: the same as
a restart, for one twin, while the site runs.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from gemeos.ensemble.condition import Condition
from gemeos.runtime.fleet import Fleet
from gemeos.runtime.keyframe import packed, unpacked
from gemeos.runtime.taken import Passing
from gemeos.runtime.twin import Twin
from gemeos.runtime.witness import Witness
from gemeos.timeline.base import Keyframe, Timeline
from gemeos.units.instant import Instant

logger = logging.getLogger(__name__)

_EVER = 2**62
MOST_LATE = 100_000
"""Events of readings that came too late that are looked through at the start, the newest."""


class Pending:
    """Which twins have readings that came too late, and from when on. Kept by one thread."""

    def __init__(self) -> None:
        self._late: dict[str, Instant] = {}

    def add(self, twin: str, late: Instant) -> None:
        """A reading of ``twin``, valid at ``late``, came too late."""
        self._late[twin] = min(late, self._late.get(twin, late))

    def remembered(self, twins: Collection[str], timeline: Timeline) -> None:
        """Add what the last run was told of these twins and did not come to heal."""
        # One question of all: of a hundred thousand twins hardly any has such readings.
        healed: dict[str, object] = {}
        for event in timeline.events(kind="late_reading", limit=MOST_LATE):
            if event.twin not in twins:
                continue
            if event.twin not in healed:
                last = timeline.events(twin=event.twin, kind="healed", limit=1)
                healed[event.twin] = last[0].body["known_at_us"] if last else None
            since, oldest = healed[event.twin], event.body.get("oldest_us")
            unhealed = not isinstance(since, int) or event.known_at >= since
            if isinstance(oldest, int) and unhealed:
                self.add(event.twin, oldest)

    def take(self) -> tuple[str, Instant] | None:
        """One twin and its earliest late instant; None where nothing waits."""
        return self._late.popitem() if self._late else None


@dataclass(frozen=True, slots=True)
class Rerun:
    """A twin gone through again, up to where the live one was final when it began."""

    twin: str
    fleet: Fleet
    """Of this twin alone; nothing in it comes too late."""
    known_at: Instant
    """Every reading known by then is in it."""
    begun_at: Instant
    """The instant of the keyframe it began from; before all readings where there was none."""
    until: Instant
    """The instant that it has reached."""
    witness: Witness
    """Has noted what held on the way, of all that the twin watches for."""


def rerun(
    twin: Twin,
    fleet: Fleet,
    timeline: Timeline,
    *,
    late: Instant,
    until: Instant,
    known_at: Instant,
    watched: Mapping[str, Condition],
) -> Rerun:
    """Go through the stored readings again from before ``late``. Touches nothing that is live.

    Args:
        twin: The declared twin.
        fleet: Of this twin alone, before its first reading; nothing comes too late for it.
        timeline: Its readings and keyframes.
        late: Earliest ``valid_at`` that came too late.
        until: The boundary of the live twin.
        known_at: Site time at which this begins.
        watched: The conditions of its alerts, by their names.
    """
    since, before = -_EVER, late - 1
    while (keyframe := timeline.keyframe_before(twin.name, before)) is not None:
        if keyframe.model == fleet.identity:
            fleet.restore([twin.name], unpacked(fleet, twin.name, keyframe.state))
            since = keyframe.valid_at
            break
        before = keyframe.valid_at - 1
    witness = Witness(fleet, {twin.name: watched})
    ahead = Rerun(twin.name, fleet, known_at, since, since, witness)
    return continued(ahead, twin, timeline, until)


def continued(ahead: Rerun, twin: Twin, timeline: Timeline, until: Instant) -> Rerun:
    """The re-run brought on to ``until``."""
    numbers = [timeline.book.number(b.series) for b in twin.bindings]
    readings = timeline.range(numbers, ahead.until, until)
    ahead.fleet.take(readings, timeline.book, ahead.witness)
    return replace(ahead, until=until)


def exchanged(ahead: Rerun, live: Fleet, timeline: Timeline, passing: Passing) -> Keyframe:
    """Store the amended state and let the live twin go on from it. On the path's thread.

    Args:
        ahead: A re-run that has reached the live twin's boundary.
        live: The fleet that holds the twin.
        timeline: Holds the readings behind the boundary.
        passing: Looks on while the twin goes through them again.

    Returns:
        The keyframe that was stored.
    """
    name = ahead.twin
    state = ahead.fleet.state(name)
    keyframe = Keyframe(
        twin=name,
        valid_at=ahead.until,
        known_at=ahead.known_at,
        model=live.identity,
        state=packed(live, name, state),
    )
    timeline.put_keyframe(keyframe)
    place = live.place(name)
    numbers = [timeline.book.number(c.binding.series) for c in live.channels[place]]
    behind = timeline.range(numbers, ahead.until, _EVER)
    live.exchange(name, unpacked(live, name, keyframe.state), behind, timeline.book, passing)
    logger.info("%s is healed: what came too late is in its past now", name)
    return keyframe
