"""What is kept beside readings in DuckDB: events, refused messages, receipts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from gemeos.schema.reading import Refused
from gemeos.timeline.base import Event
from gemeos.timeline.duck_database import Connection
from gemeos.timeline.event_body import body_text
from gemeos.timeline.limits import MOST_RECEIPTS, MOST_REFUSED

PRUNED_EVERY: Final = 1_000
"""Rows beyond the bounds that may gather before they are deleted; questions never show them."""


def put_events(connection: Connection, events: Sequence[Event]) -> None:
    """Add them, numbered already."""
    connection.execute(
        "insert into events select unnest($number::bigint[]), unnest($kind::text[]), "
        "unnest($twin::text[]), unnest($valid_at::bigint[]), unnest($known_at::bigint[]), "
        "unnest($actor::text[]), unnest($cause::text[]), unnest($body::text[])",
        {
            "number": [event.number for event in events],
            "kind": [event.kind for event in events],
            "twin": [event.twin for event in events],
            "valid_at": [event.valid_at for event in events],
            "known_at": [event.known_at for event in events],
            "actor": [event.actor for event in events],
            "cause": [event.cause for event in events],
            "body": [body_text(event.body) for event in events],
        },
    )


def put_refused(connection: Connection, refused: Sequence[Refused], upto: int) -> None:
    """Add them, numbered up to ``upto``, and now and then drop those out of bounds."""
    if not refused:
        return
    connection.execute(
        "insert into refused select unnest($entry::bigint[]), unnest($link::text[]), "
        "unnest($channel::text[]), unnest($reason::text[]), unnest($payload::blob[]), "
        "unnest($size::bigint[]), unnest($received_at::bigint[])",
        {
            "entry": list(range(upto - len(refused) + 1, upto + 1)),
            "link": [_text(row.link) for row in refused],
            "channel": [_text(row.channel) for row in refused],
            "reason": [_text(row.reason) for row in refused],
            "payload": [row.payload for row in refused],
            "size": [row.size for row in refused],
            "received_at": [row.received_at for row in refused],
        },
    )
    if upto // PRUNED_EVERY > (upto - len(refused)) // PRUNED_EVERY:
        connection.execute("delete from refused where entry <= ?", [upto - MOST_REFUSED])


def put_receipts(connection: Connection, receipts: Sequence[bytes], upto: int) -> None:
    """The same, a row a commit."""
    if not receipts:
        return
    packed = msgspec.msgpack.encode(list(receipts[-MOST_RECEIPTS:]))
    connection.execute("insert into receipts values (?, ?)", [upto, packed])
    if upto // PRUNED_EVERY > (upto - len(receipts)) // PRUNED_EVERY:
        connection.execute("delete from receipts where upto <= ?", [upto - MOST_RECEIPTS])


def _text(told: str) -> str:
    """What came may not be Unicode; the quarantine must take it all the same."""
    return told.encode("utf-8", "replace").decode()
