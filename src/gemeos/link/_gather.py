"""Rows and columns on their way to ``Readings``: raw numbers, not yet converted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias, final

import numpy as np
from jaxtyping import Float64, Int32, Int64, UInt8

from gemeos.link.channels import Channels
from gemeos.schema.reading import LARGEST, Quality, Readings
from gemeos.units.instant import Instant

Row: TypeAlias = tuple[int, Instant, Instant, int, int, float, int, Instant]
"""Channel's row, valid_at, valid_from, sample, revision, raw value, quality, received_at."""
_TYPES: Final = (
    np.int32,
    np.int64,
    np.int64,
    np.int32,
    np.int64,
    np.float64,
    np.uint8,
    np.int64,
)


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """Readings in columns; in the order of ``Row``."""

    row: Int32[np.ndarray, " reading"]
    valid_at: Int64[np.ndarray, " reading"]
    valid_from: Int64[np.ndarray, " reading"]
    sample: Int32[np.ndarray, " reading"]
    revision: Int64[np.ndarray, " reading"]
    raw: Float64[np.ndarray, " reading"]
    quality: UInt8[np.ndarray, " reading"]
    received_at: Int64[np.ndarray, " reading"]

    def columns(self) -> tuple[np.ndarray, ...]:
        """All of them, in order."""
        return (
            self.row,
            self.valid_at,
            self.valid_from,
            self.sample,
            self.revision,
            self.raw,
            self.quality,
            self.received_at,
        )


@final
class Gathered:
    """Rows and parts in order of arrival."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        """Rows since the last part; the hot path appends here."""
        self._parts: list[Part] = []

    def add(self, part: Part) -> None:
        """Append columns."""
        self._close()
        self._parts.append(part)

    def finished(self, channels: Channels) -> tuple[Readings, list[tuple[int, float]]]:
        """The readings, converted, and (row, raw value) of those beyond ``LARGEST``."""
        self._close()
        if not self._parts:
            return Readings.none(), []
        if len(self._parts) == 1:
            part = self._parts[0]
        else:
            each = [p.columns() for p in self._parts]
            part = Part(*(np.concatenate(columns) for columns in zip(*each, strict=True)))
        value = channels.values(part.row, part.raw, part.valid_at)
        lost = ~(np.abs(value) <= LARGEST) & (part.quality != Quality.RETRACTED)
        readings = Readings(
            series=channels.series[part.row],
            valid_at=part.valid_at,
            valid_from=part.valid_from,
            sample=part.sample,
            revision=part.revision,
            value=value,
            quality=part.quality,
            received_at=part.received_at,
        )
        if not lost.any():
            return readings, []
        beyond = [(int(r), float(v)) for r, v in zip(part.row[lost], part.raw[lost], strict=True)]
        return readings[~lost], beyond

    def _close(self) -> None:
        if self.rows:
            columns = zip(*self.rows, strict=True)
            self._parts.append(
                Part(*(np.array(c, kind) for c, kind in zip(columns, _TYPES, strict=True)))
            )
            self.rows = []
