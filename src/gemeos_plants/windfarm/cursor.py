"""How far the site has made the record durable, kept across the plant's own death.

The cursor moves on the site's word that it has committed, never on the broker's acknowledgement: a
broker that has a message may lose it, a site that has committed it may not.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterable
from pathlib import Path

from gemeos_plants.windfarm.record import iso


class CursorError(Exception):
    """The cursor's file cannot be believed: it is damaged, or of another record."""


class Cursor:
    """Which readings the site has committed.

    All below ``position`` are; above it a bounded few may be, out of order.
    """

    def __init__(self, path: Path, record: str, start: int) -> None:
        """Read ``path``, or begin at ``start`` where there is no such file.

        Args:
            path: The file; written beside and renamed, so it is whole at any moment.
            record: Checksum of the record whose readings are counted.
            start: The first reading that is to be sent; a file that says less is passed over.

        Raises:
            CursorError: the file is damaged, or counts the readings of another record.
        """
        self._path = path
        self._record = record
        self.position = max(start, self._stored())
        """Everything below this number is durable at the site."""
        self._beyond: set[int] = set()
        self._saved: int | None = None

    def _stored(self) -> int:
        try:
            text = self._path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return 0
        try:
            kept = json.loads(text)
            position, record = int(kept["position"]), str(kept["record"])
        except (ValueError, KeyError, TypeError) as error:
            raise CursorError(
                f"{self._path} is not a cursor of this plant ({error}). Remove it to begin anew."
            ) from error
        if record != self._record:
            raise CursorError(
                f"{self._path} counts the readings of another record. Name another file."
            )
        return position

    def committed(self, seq: int) -> bool:
        """Whether the site has said so of that reading."""
        return seq < self.position or seq in self._beyond

    def commit(self, ranges: Iterable[tuple[int, int]], sent: Collection[int]) -> set[int]:
        """Take the site's word for ``ranges``, first and last number of each.

        Args:
            ranges: As in the notice.
            sent: What was sent and is not yet committed. No notice of anything else is believed:
                it would be of another plant's readings, and ours would never be sent.

        Returns:
            What is committed now that was not before.
        """
        new: set[int] = set()
        for first, last in ranges:
            # A range may be of any size; what is looked through is never more than what was sent.
            wide = last - first >= len(sent)
            new.update(
                seq
                for seq in (sent if wide else range(first, last + 1))
                if first <= seq <= last and seq in sent
            )
        self._beyond |= {seq for seq in new if seq >= self.position}
        while self.position in self._beyond:
            self._beyond.remove(self.position)
            self.position += 1
        return new

    def save(self, valid_at: int) -> None:
        """Write the file if the position has moved.

        Args:
            valid_at: Stamp of the reading at the position, for the person who looks inside.
        """
        if self._saved == self.position:
            return
        kept = {"position": self.position, "valid_at": iso(valid_at), "record": self._record}
        draft = self._path.with_name(self._path.name + ".new")
        with draft.open("w", encoding="utf-8") as sink:
            json.dump(kept, sink)
            sink.flush()
            os.fsync(sink.fileno())
        draft.replace(self._path)
        self._saved = self.position
