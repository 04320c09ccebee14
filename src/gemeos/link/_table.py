"""Columns of readings, checked at once; rows that are not plainly right are left to others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool

from gemeos.link._gather import Part
from gemeos.link._route import UNKNOWN, Kind, Route
from gemeos.link._rows import Window
from gemeos.link._shape import MISSING, Told
from gemeos.link.channels import Channels
from gemeos.link.message import Message
from gemeos.schema.reading import COMMIT_ORDER, Quality


@dataclass(frozen=True, slots=True, eq=False)
class Tabled:
    """One message, parsed into columns."""

    message: Message
    route: Route
    count: int
    """Readings in it."""
    columns: dict[str, list[Any]]
    """Of ``count`` entries each; a role that no row has may be left out."""

    def said(self, place: int) -> Told:
        """What it says of the reading at ``place``."""
        found = {role: column[place] for role, column in self.columns.items()}
        return {role: entry for role, entry in found.items() if entry is not MISSING}


def split(
    kind: Kind, channels: Channels, tabled: Sequence[Tabled], window: Window
) -> tuple[Part, list[tuple[Tabled, int]]]:
    """The readings that are plainly right, and the places of the others.

    Several messages of one kind at once: at a hundred readings a message numpy's cost of a call
    would be most of the cost.
    """
    counts = [each.count for each in tabled]
    count = sum(counts)
    columns = _columns(kind, tabled)
    row = np.array([r for each in tabled for r in _rows(each)], np.int32)
    right: Bool[np.ndarray, " reading"] = row >= 0
    raw = _numbers(columns.get("value"), count)
    right &= np.isfinite(raw)
    valid_at, dated = _instants(kind, columns.get("valid_at"), count, window)
    right &= dated
    valid_from = valid_at
    if "valid_from" in columns:
        starts = columns["valid_from"]
        valid_from, dated = _instants(kind, starts, count, window)
        none = np.array([start is MISSING for start in starts], np.bool_)
        valid_from = np.where(none, valid_at, valid_from)
        right &= none | (dated & (valid_from <= valid_at))
    if "retracted" in columns:
        right &= np.array([r is False or r is MISSING for r in columns["retracted"]], np.bool_)
    if "unit" in kind.where:
        right &= _same_units(channels, row, columns.get("unit"))
    part = Part(
        row=row,
        valid_at=valid_at,
        valid_from=valid_from,
        sample=_counts(columns.get("sample"), count, 0).astype(np.int32),
        revision=_counts(columns.get("revision"), count, COMMIT_ORDER),
        raw=raw,
        quality=_quality(kind, columns.get("quality"), tabled, counts),
        received_at=np.repeat(
            np.array([each.message.received_at for each in tabled], np.int64), counts
        ),
    )
    if right.all():
        return part, []
    ends = np.cumsum(counts)
    odd = []
    for place in np.flatnonzero(~right).tolist():
        which = int(np.searchsorted(ends, place, side="right"))
        odd.append((tabled[which], place - int(ends[which]) + counts[which]))
    return Part(*(column[right] for column in part.columns())), odd


def _columns(kind: Kind, tabled: Sequence[Tabled]) -> dict[str, list[Any]]:
    if len(tabled) == 1:
        return tabled[0].columns
    joined: dict[str, list[Any]] = {}
    for role in kind.where:
        if role not in {"name", "sequence"} and any(role in each.columns for each in tabled):
            column: list[Any] = []
            for each in tabled:
                column += each.columns.get(role) or [MISSING] * each.count
            joined[role] = column
    return joined


def _rows(tabled: Tabled) -> list[int]:
    route, names = tabled.route, tabled.columns.get("name")
    if route.fixed >= 0 or names is None:
        return [route.fixed] * tabled.count
    known = route.rows
    row = [known.get(name, UNKNOWN) for name in names]
    if UNKNOWN in row:
        return [route.row(name) for name in names]
    return row


def _quality(
    kind: Kind, column: list[Any] | None, tabled: Sequence[Tabled], counts: Sequence[int]
) -> np.ndarray:
    if column is None:
        quality = np.full(sum(counts), Quality.GOOD, np.uint8)
    else:
        good = [word is MISSING or kind.is_good(word) for word in column]
        quality = np.where(good, Quality.GOOD, Quality.SUSPECT).astype(np.uint8)
    retained = [each.message.retained for each in tabled]
    if any(retained):
        quality[np.repeat(np.array(retained, np.bool_), counts)] = Quality.RETAINED
    return quality


def _numbers(column: list[Any] | None, count: int) -> np.ndarray:
    if column is None:
        return np.full(count, np.nan)
    if MISSING in column:
        column = [np.nan if entry is MISSING else entry for entry in column]
    return np.array(column, np.float64)


def _instants(
    kind: Kind, column: list[Any] | None, count: int, window: Window
) -> tuple[np.ndarray, np.ndarray]:
    if column is None:
        return np.zeros(count, np.int64), np.zeros(count, np.bool_)
    at = kind.time.column(column)
    dated = (at >= window.earliest) & (at <= window.latest)
    return np.where(dated, at, 0.0).astype(np.int64), dated


def _counts(column: list[Any] | None, count: int, default: int) -> np.ndarray:
    if column is None:
        return np.full(count, default, np.int64)
    return np.array([default if entry is MISSING else entry for entry in column], np.int64)


def _same_units(channels: Channels, row: np.ndarray, column: list[Any] | None) -> np.ndarray:
    if column is None:
        return np.zeros(len(row), np.bool_)
    right = np.zeros(len(row), np.bool_)
    for place, (number, unit) in enumerate(zip(row.tolist(), column, strict=True)):
        # Only the very text of the declaration: another spelling of it is read with care.
        right[place] = number >= 0 and unit == channels.unit(number)
    return right
