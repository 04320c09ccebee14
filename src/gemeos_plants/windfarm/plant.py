"""The farm: it lives through its record, sends what it measures and says what time it is there.

Topics, all at QoS 1, none retained:

- ``lahauteborne/<turbine>/<tag>``: ``{"seq", "valid_from", "valid_at", "value", "unit"}``.
  ``value`` is null where the record holds no number. ``seq`` numbers the reading for good.
- ``lahauteborne/clock``: ``{"now", "speed"}``. Everything due by ``now`` has been sent, but for
  the readings that are late on purpose; no reading is sent before its ``valid_at`` has been told.
  ``speed`` is null where the plant goes as fast as the site commits.
- ``lahauteborne/finished``: ``{"last", "seq"}``, the stamp and number of the last reading.
- ``lahauteborne/setpoint/<turbine>/<control>``: ``{"valid_at", "value", "unit"}``, where each
  turbine stood when the ten minutes ended that were just sent; only where the farm lets itself be
  set.
- ``lahauteborne/committed``, from the site: ``{"committed": [[first, last], ...]}``, numbers whose
  readings are durable there, whether as readings, as duplicates or in quarantine.
"""

from __future__ import annotations

import json
import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Final

import numpy as np

from gemeos_plants.line import Line
from gemeos_plants.windfarm.cursor import Cursor
from gemeos_plants.windfarm.mischief import TRANSPORT, Departures
from gemeos_plants.windfarm.record import SECOND, Record, iso
from gemeos_plants.windfarm.steered import Steered

logger = logging.getLogger(__name__)

PREFIX: Final = "lahauteborne"
COMMITTED: Final = f"{PREFIX}/committed"
_BREATH_S: Final = 0.25
_CURSOR_EVERY_S: Final = 0.2
_CLOCK_EVERY_S: Final = 1.0


class Ending(Enum):
    """How a plant's run ended."""

    FINISHED = "the record has ended and the site has all of it"
    STOPPED = "asked to stop"


@dataclass(frozen=True, slots=True)
class Patience:
    """How long the plant waits for the site, in wall seconds, and how much it sends meanwhile."""

    window: int = 20_000
    """Readings sent and not committed; with so many, plant time stands still."""
    silence_s: float = 10.0
    """Without news for so long, everything uncommitted of that age is sent again."""
    overdue_s: float = 60.0
    """A reading uncommitted for so long is sent again although there is news of others."""


class _Stop(Exception):  # noqa: N818 -- not an error: the way out of the nested waits
    """Somebody asked the plant to stop."""


class Plant:
    """One run through the record."""

    def __init__(  # noqa: PLR0913 -- each is one part of it, most by keyword
        self,
        record: Record,
        departures: Departures,
        cursor: Cursor,
        line: Line,
        *,
        speed: float | None,
        stopped: Callable[[], bool],
        patience: Patience = Patience(),
        steered: Steered | None = None,
    ) -> None:
        """Ready to run.

        Args:
            record: The readings.
            departures: Which of them to send, and when.
            cursor: What of them is committed already; not sent again.
            line: The connection, not yet opened.
            speed: Plant seconds a wall second; None for as fast as the site commits.
            stopped: Asked all the time; once true, the run ends.
            patience: With the site.
            steered: What lets it be set; None where nobody may.
        """
        self._record = record
        self._departures = departures
        self._cursor = cursor
        self._line = line
        self._speed = speed
        self._stopped = stopped
        self._patience = patience
        self._steered = steered
        self._uncommitted: dict[int, float] = {}
        self._again: deque[int] = deque()
        self._connections = 0
        self._clock = 0
        self._anchor = (0, 0.0)
        self._news_at = self._told_at = self._saved_at = time.monotonic()

    def run(self) -> Ending:
        """Live through the departures; answers when the site has them all, or when stopped."""
        self._line.open()
        try:
            self._live()
            self._finish()
        except _Stop:
            return Ending.STOPPED
        else:
            return Ending.FINISHED
        finally:
            self._save(force=True)
            self._line.close()

    def _live(self) -> None:
        ahead = self._departures.seq >= self._cursor.position
        at, seq = self._departures.at[ahead], self._departures.seq[ahead]
        if not len(at):
            return
        starts = np.flatnonzero(np.diff(at, prepend=-1))
        ends = np.append(starts[1:], len(at))
        for i, (start, end) in enumerate(zip(starts, ends, strict=True)):
            moment = int(at[start])
            if i == 0:
                self._clock = moment - TRANSPORT
                self._anchor = (self._clock, time.monotonic())
            self._await(moment)
            # Before the step: its readings must not be from the future of who follows the clock.
            self._tell_now(max(self._clock, moment - TRANSPORT))
            for number in seq[start:end].tolist():
                self._send(number)
            self._tell_now(moment)
            self._tell_setpoints(moment - TRANSPORT)
            self._keep_pace(moment)

    def _await(self, moment: int) -> None:
        """Wait until it is ``moment`` there; meanwhile the clock goes on, short of it."""
        if self._speed is None:
            self._attend(0.0)
            return
        while True:
            begun, wall = self._anchor
            there = begun + int((time.monotonic() - wall) * self._speed * SECOND)
            if there >= moment:
                return
            self._clock = max(self._clock, there)
            self._attend(min((moment - there) / self._speed / SECOND, _BREATH_S))

    def _keep_pace(self, moment: int) -> None:
        """After a stand-still, go on from here; what was missed is not hurried through."""
        if self._speed is None:
            return
        begun, wall = self._anchor
        now = time.monotonic()
        if begun + (now - wall - 1.0) * self._speed * SECOND > moment:
            self._anchor = (moment, now)

    def _send(self, seq: int) -> None:
        self._attend(0.0)
        self._await_room(self._patience.window)
        self._publish(seq)

    def _await_room(self, window: int) -> None:
        """Wait until the line takes a message and fewer than ``window`` readings are uncommitted.

        What has to be sent again goes first.
        """
        while self._again or not self._line.ready or len(self._uncommitted) >= window:
            self._attend(_BREATH_S)

    def _publish(self, seq: int) -> None:
        if self._steered is not None and self._steered.is_cut:
            return
        reading = self._record.reading(seq)
        now = time.monotonic()
        if not self._uncommitted:
            self._news_at = now
        if not self._cursor.committed(seq):
            self._uncommitted[seq] = now
        self._say(
            f"{PREFIX}/{reading.turbine}/{reading.tag}",
            {
                "seq": seq,
                "valid_from": iso(reading.valid_from),
                "valid_at": iso(reading.valid_at),
                "value": reading.value if self._steered is None else self._steered.value(seq),
                "unit": reading.unit,
            },
        )

    def _tell_now(self, now: int) -> None:
        """Say that it is ``now``, however long it takes until somebody can hear it."""
        self._await_room(self._patience.window + 1)
        self._clock = now
        self._tell()

    def _tell_setpoints(self, at: int) -> None:
        """Where it stood then, when what was just sent was measured: one time for all of it."""
        if self._steered is None or self._steered.is_cut:
            return
        for place, value, unit in self._steered.setpoints(at):
            self._await_room(self._patience.window + 1)
            told = {"valid_at": iso(at), "value": value, "unit": unit}
            self._say(f"{PREFIX}/setpoint/{place}", told)

    def _tell(self) -> None:
        self._told_at = time.monotonic()
        self._say(f"{PREFIX}/clock", {"now": iso(self._clock), "speed": self._speed})

    def _say(self, topic: str, content: dict[str, object]) -> None:
        self._line.publish(topic, json.dumps(content, separators=(",", ":")).encode())

    def _attend(self, wait_s: float) -> None:
        """What goes on beside sending: notices, re-sending, the clock's tick, the cursor's file."""
        if self._steered is not None:
            self._steered.at(self._clock)
        heard = self._line.heard(wait_s)
        if self._stopped():
            raise _Stop
        for notice in heard:
            self._hear(notice.payload)
        self._remember_overdue()
        while self._again and self._line.ready:
            seq = self._again.popleft()
            if seq in self._uncommitted:
                self._publish(seq)
        silent = time.monotonic() - self._told_at >= _CLOCK_EVERY_S
        if silent and self._clock and self._line.ready and not self._again:
            self._tell()
        self._save(force=False)

    def _hear(self, notice: bytes) -> None:
        ranges = _ranges(notice)
        if ranges is None:
            logger.warning("Not a notice of what is committed: %r", notice[:200])
            return
        new = self._cursor.commit(ranges, self._uncommitted.keys())
        for seq in new:
            del self._uncommitted[seq]
        if new:
            self._news_at = time.monotonic()

    def _remember_overdue(self) -> None:
        """Put down for sending again what the site should have committed by now."""
        if self._again or not self._line.ready:
            return
        now = time.monotonic()
        if self._line.connections != self._connections:
            self._connections = self._line.connections
            limit = 0.0
        elif now - self._news_at > self._patience.silence_s:
            limit = self._patience.silence_s
        else:
            limit = self._patience.overdue_s
            oldest = next(iter(self._uncommitted.values()), now)
            if now - oldest < limit:
                return
        self._again.extend(s for s, sent in self._uncommitted.items() if now - sent >= limit)
        if self._again:
            self._news_at = now
            logger.info("Sending %d readings again that are not committed.", len(self._again))

    def _save(self, *, force: bool) -> None:
        now = time.monotonic()
        if force or now - self._saved_at >= _CURSOR_EVERY_S:
            self._saved_at = now
            last = len(self._record) - 1
            self._cursor.save(self._record.reading(min(self._cursor.position, last)).valid_at)

    def _finish(self) -> None:
        """Say that the record has ended until the site has all of it, and once more after."""
        last = int(self._departures.seq.max())
        word: dict[str, object] = {
            "last": iso(self._record.reading(last).valid_at),
            "seq": last,
        }
        said_at = -_CLOCK_EVERY_S
        while True:
            complete = not self._uncommitted
            now = time.monotonic()
            if self._line.ready and (complete or now - said_at >= _CLOCK_EVERY_S):
                said_at = now
                self._say(f"{PREFIX}/finished", word)
                if complete and self._line.drained(within_s=10.0):
                    return
            self._attend(_BREATH_S)


def _ranges(notice: bytes) -> list[tuple[int, int]] | None:
    """First and last number of each range in a notice; None where it is not one."""
    try:
        content = json.loads(notice)
    except ValueError:
        return None
    listed = content.get("committed") if isinstance(content, dict) else None
    if not isinstance(listed, list):
        return None
    ranges: list[tuple[int, int]] = []
    for pair in listed:
        if not (isinstance(pair, list) and len(pair) == 2 and all(type(n) is int for n in pair)):
            return None
        ranges.append((pair[0], pair[1]))
    return ranges
