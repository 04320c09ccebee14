"""What people gave names to, in DuckDB."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gemeos.timeline.base import Record
from gemeos.timeline.duck_database import Connection, rows


def put_record(connection: Connection, record: Record) -> None:
    """Instead of the one of its name."""
    drop_record(connection, record.kind, record.twin, record.name)
    connection.execute(
        "insert into records values (?, ?, ?, ?, ?, ?)",
        [
            record.kind,
            record.twin,
            record.name,
            record.known_at,
            record.body,
            record.attachment,
        ],
    )


def records(
    connection: Connection, kind: str, twin: str | None, newest: int | None
) -> Sequence[Record]:
    """Without attachments."""
    found = rows(
        connection,
        "select twin, name, body, known_at from records "
        "where kind = $kind and ($twin is null or twin = $twin) "
        "order by known_at desc, twin desc, name desc limit $newest",
        {"kind": kind, "twin": twin, "newest": newest},
    )
    told = [Record(kind, twin, name, body, known_at) for twin, name, body, known_at in found]
    return told[::-1]


def record_counts(connection: Connection, kind: str) -> Mapping[str, int]:
    """By twin."""
    found = rows(
        connection, "select twin, count(*) from records where kind = ? group by twin", [kind]
    )
    return dict(found)


def record(connection: Connection, kind: str, twin: str, name: str) -> Record | None:
    """The whole one."""
    found = rows(
        connection,
        "select body, known_at, attachment from records where kind = ? and twin = ? and name = ?",
        [kind, twin, name],
    )
    for body, known_at, attachment in found:
        return Record(kind, twin, name, body, known_at, attachment)
    return None


def drop_record(connection: Connection, kind: str, twin: str, name: str) -> bool:
    """Whether there was one."""
    ((count,),) = rows(
        connection,
        "delete from records where kind = ? and twin = ? and name = ?",
        [kind, twin, name],
    )
    return count > 0
