"""Changes and decisions, in DuckDB: how they are asked for."""

from __future__ import annotations

from collections.abc import Sequence

from gemeos.timeline.base import Event
from gemeos.timeline.duck_database import Connection, rows
from gemeos.timeline.event_body import body_of
from gemeos.units.instant import Instant

_COLUMNS = "kind, twin, valid_at, actor, cause, body, known_at, number"


def events(
    connection: Connection,
    twin: str | None,
    kind: str | None,
    within: tuple[Instant | None, Instant | None],
    limit: int,
) -> Sequence[Event]:
    """Newest first; ``within`` is after the one and up to the other."""
    since, until = within
    found = rows(
        connection,
        f"select {_COLUMNS} from events "  # noqa: S608 -- a constant
        "where ($twin is null or twin = $twin) and ($kind is null or kind = $kind) "
        "and ($since is null or valid_at > $since) and ($until is null or valid_at <= $until) "
        "order by valid_at desc, number desc limit $limit",
        {"twin": twin, "kind": kind, "since": since, "until": until, "limit": limit},
    )
    return [_event(row) for row in found]


def event(connection: Connection, number: int) -> Event | None:
    """The one of that number."""
    found = rows(connection, f"select {_COLUMNS} from events where number = ?", [number])  # noqa: S608
    return _event(found[0]) if found else None


def _event(row: Sequence[object]) -> Event:
    kind, twin, valid_at, actor, cause, body, known_at, number = row
    return Event(kind, twin, valid_at, actor, cause, body_of(body), known_at, number)  # type: ignore[arg-type]  # as the table was made
