"""The life cycle of a twin: one rule that tells the phase from what is known."""

from __future__ import annotations

from dataclasses import dataclass

from gemeos.schema.phase import Phase
from gemeos.units.instant import Instant, Span

__all__ = ["Phase", "Standing", "phase_of"]

READINGS_TO_START = 30
SILENT_INTERVALS = 5


@dataclass(frozen=True, slots=True)
class Standing:
    """What the phase of a twin rests on."""

    bound: bool
    """Some channel is bound."""
    running: bool
    finished: bool
    """Every source that it is bound to ended."""
    assimilated: int
    newest: Instant | None
    """``valid_at`` of the newest reading."""
    now: Instant
    """Site time."""
    usual_interval: Span | None
    """Of the most frequent channel that corrects it; None until two readings of one came."""
    lateness: Span
    """By how much its readings may be late."""
    accepted: Instant | None = None
    """``valid_at`` of the newest reading that a trusted channel gave which corrects the twin; None:
    the same as newest."""
    rejected: bool = False
    """A sequential test rejects."""
    waiting: Instant | None = None
    """``valid_at`` of the newest reading that corrects it, where some wait; None: all are in."""


# One rule a line, in the order in which they beat each other (blind beats drifting beats catching
# up); a table would hide that.
def phase_of(standing: Standing) -> Phase:  # noqa: PLR0911
    """The phase that follows from what is known."""
    if not standing.running:
        return Phase.STOPPED
    if not standing.bound:
        return Phase.PLANNED
    if standing.finished:
        return Phase.FINISHED
    behind = None if standing.newest is None else standing.now - standing.newest
    unseen = behind if standing.accepted is None else standing.now - standing.accepted
    if unseen is not None and standing.waiting is not None:
        # It is read of, and will see that: it is behind, not blind.
        unseen = min(unseen, standing.now - standing.waiting)
    silent = (
        unseen is not None
        and standing.usual_interval is not None
        and unseen > SILENT_INTERVALS * standing.usual_interval + standing.lateness
    )
    if silent:
        return Phase.BLIND
    if standing.assimilated < READINGS_TO_START:
        return Phase.STARTING
    if standing.rejected:
        return Phase.DRIFTING
    usual = standing.usual_interval or 0
    if behind is not None and behind > standing.lateness + usual:
        return Phase.CATCHING_UP
    return Phase.IN_STEP
