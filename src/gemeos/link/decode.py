"""Messages become readings, or refused rows that say why; nothing is lost and nothing raises.

A plain message of one reading takes the fast way: parsed, checked and gathered in a few calls.
Lists and columns are checked by column. Whatever is not plainly right goes the careful way, which
reads a row at a time and can say what is wrong with it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from hashlib import blake2b
from itertools import groupby
from operator import itemgetter
from typing import Final, final

import msgspec

from gemeos.clock import Clock
from gemeos.errors import ReadingError, SettingsError, nearest
from gemeos.link._gather import Gathered
from gemeos.link._route import Kind, Route, Routes, Says
from gemeos.link._rows import RowReader, Window, descriptions, sequences
from gemeos.link._shape import MISSING, Told, follow
from gemeos.link._table import Tabled, split
from gemeos.link._times import TimeReader, told, when
from gemeos.link.channels import LONGEST_NAME_TOLD, Channels
from gemeos.link.format import MessageFormat, PlantTopics, pointer
from gemeos.link.message import KEPT_OF_PAYLOAD, Decoded, Limits, Message
from gemeos.schema.reading import COMMIT_ORDER, LARGEST, Refused
from gemeos.units.instant import Instant

MOST_REFUSED: Final = 1000
"""Rows of one message that are refused one by one; the others are counted in one more row."""
_MOST_TOGETHER: Final = 20_000
_UNREADABLE: Final = (msgspec.MsgspecError, RecursionError, ValueError, OverflowError)
# TypeError and AttributeError: where the compiled form finds a piece of the message missing.
_ODD: Final = (*_UNREADABLE, TypeError, AttributeError)
_NOT_A_NUMBER: Final = re.compile(rb"[:,\[\s](-?(?:NaN|nan|Infinity|inf))\b")


@final
class Decoder:
    """Decodes the messages of one link. Not for several threads at once."""

    def __init__(
        self,
        formats: Sequence[MessageFormat],
        channels: Channels,
        clock: Clock,
        *,
        limits: Limits | None = None,
        plant: PlantTopics | None = None,
        receipts: Iterable[bytes] = (),
    ) -> None:
        """Compile ``formats``; of several that fit a topic the first counts.

        Args:
            formats: What the messages look like.
            channels: What is bound.
            clock: Site time, for readings without a time and for those from the future.
            limits: What is refused.
            plant: Topics that say something else than readings.
            receipts: The newest that the timeline has, oldest first; other links' do no harm.

        Raises:
            SettingsError: no format.
        """
        if not formats:
            raise SettingsError(f"Link {channels.link!r} has no message format.")
        self.link = channels.link
        self.formats = tuple(formats)
        self.limits = limits or Limits()
        self.plant = plant or PlantTopics()
        self.plant_time: Instant | None = None
        """The newest time that the plant ever told."""
        self._channels = channels
        self._clock = clock
        self._routes = Routes(self.formats, self.plant, channels)
        self._reader = RowReader(channels)
        self._plant_clock = TimeReader(self.plant.form)
        self._mark = blake2b(self.link.encode(), digest_size=4).digest()
        # A broker gives a packet identifier anew only after the message that had it was
        # acknowledged, so of each identifier only the newest message can come again.
        self._received: dict[int, bytes] = {
            int.from_bytes(r[4:6], "big"): r for r in receipts if r[:4] == self._mark
        }

    def channel(self, topic: str) -> str:
        """The channel that ``topic`` alone tells; empty where there is none."""
        route = self._routes.of(topic)
        return self._channels.names[route.fixed] if route.fixed >= 0 else ""

    def decode(
        self, topic: str, payload: bytes, *, retained: bool = False, redelivered: bool = False
    ) -> Decoded:
        """What one message says. Never raises for anything that is in it."""
        wall = self._clock.wall()
        return self.decode_all([Message(topic, payload, len(payload), wall, retained, redelivered)])

    def decode_all(self, messages: Iterable[Message]) -> Decoded:
        """What ``messages`` say, in their order. Never raises for anything that is in them."""
        run = self._begun()
        known, gathered, numbers = self._routes.known, run.gathered, run.sequences
        earliest, most = self.limits.earliest, self.limits.payload
        for message in messages:
            route = known.get(message.topic)
            if route is None or (kind := route.kind) is None or (plain := kind.single) is None:
                self._carefully(message, run)
                continue
            try:
                if message.size > most:
                    raise ReadingError  # told in full the careful way
                found = plain.pick(message.payload)
                at = kind.instant(found[1])
            except _ODD:
                self._carefully(message, run)
                continue
            row = route.rows.get(found[2], -1) if plain.named else route.fixed
            if row < 0 or not earliest <= at <= run.latest:
                self._carefully(message, run)
                continue
            if run.tabled:
                self._flush(run)
            quality = 2 if message.retained else 0  # Quality.RETAINED, Quality.GOOD
            gathered.rows.append(
                (row, at, at, 0, COMMIT_ORDER, found[0], quality, message.received_at)
            )
            if plain.counted:
                numbers.append(found[-1])
        return self._finished(run)

    def _begun(self) -> _Run:
        now = self._clock.now()
        if self.plant_time is not None:
            # The site's clock follows the plant's only when this is handed out.
            now = max(now, self.plant_time)
        return _Run(Window(now, self.limits.earliest, self.limits.tolerance))

    def _finished(self, run: _Run) -> Decoded:
        self._flush(run)
        readings, beyond = run.gathered.finished(self._channels)
        for row, raw in beyond:
            reason = (
                f"The value {raw} is beyond all numbers in use ({LARGEST:.1e}) after its scale "
                "and unit."
            )
            self._refuse(run, Message("", b"", 0, self._clock.wall()), reason, row=row)
        return Decoded(
            readings=readings,
            refused=tuple(run.refused),
            receipts=tuple(run.receipts),
            sequences=tuple(run.sequences),
            duplicates=run.duplicates,
            plant_time=run.plant_time,
            ended=run.ended,
        )

    def _carefully(self, message: Message, run: _Run) -> None:
        route = self._routes.of(message.topic)
        try:
            self._one(message, route, run)
        except ReadingError as error:
            self._refuse(run, message, str(error), channel=self.channel(message.topic))

    def _one(self, message: Message, route: Route, run: _Run) -> None:
        if message.size > self.limits.payload:
            raise ReadingError(
                f"The payload has {message.size} bytes; at most {self.limits.payload} are read."
            )
        match route.says:
            case Says.NOTHING:
                raise ReadingError(self._no_format(message.topic))
            case Says.END:
                # The broker's memory may be of an earlier run.
                run.ended |= not message.retained
            case Says.CLOCK:
                self._hear_clock(message, run)
            case Says.READINGS:
                assert route.kind is not None  # noqa: S101  readings have a format
                self._readings(message, route, route.kind, run)

    def _hear_clock(self, message: Message, run: _Run) -> None:
        document = _parsed(message.payload)
        where = pointer(self.plant.time, of="time") or ()
        raw = follow(document, where)
        if raw is MISSING:
            raise ReadingError(f"The plant's clock has no time at {self.plant.time!r}.")
        at = self._plant_clock(raw)
        if at < self.limits.earliest:
            raise ReadingError(f"The plant's clock says {when(at)}: that is no time of a plant.")
        self._flush(run)
        run.plant_time = at if run.plant_time is None else max(at, run.plant_time)
        self.plant_time = run.plant_time if self.plant_time is None else max(at, self.plant_time)
        run.move_to(max(run.window.now, at))

    def _readings(self, message: Message, route: Route, kind: Kind, run: _Run) -> None:
        stored = kind.format.first_arrival and message.ack and self._came_before(message, run)
        if kind.table is not None and not stored and self._tabled(message, route, kind, run):
            return
        self._flush(run)
        document = _parsed(message.payload)
        run.sequences += sequences(kind, document)
        if stored:
            run.duplicates += 1
            return
        refused = 0
        for said, entry in descriptions(kind, document):
            refused += not self._row(
                message, route, (said, entry), run, refused, alone=entry is document
            )
        self._sum_up(message, run, refused)

    def _tabled(self, message: Message, route: Route, kind: Kind, run: _Run) -> bool:
        """Whether the message could be read by column."""
        assert kind.table is not None  # noqa: S101  asked before
        try:
            count, columns, numbers = kind.table.columns(message.payload)
        except _ODD:
            return False
        if run.kind is not kind or run.readings >= _MOST_TOGETHER:
            self._flush(run)
        run.kind = kind
        run.tabled.append(Tabled(message, route, count, columns))
        run.readings += count
        run.sequences += [n for n in dict.fromkeys(numbers) if n is not MISSING]
        return True

    def _flush(self, run: _Run) -> None:
        """Gather what was read by column, before anything that came later."""
        if not run.tabled or run.kind is None:
            return
        part, odd = split(run.kind, self._channels, run.tabled, run.window)
        run.gathered.add(part)
        run.tabled, run.readings = [], 0
        for each, places in groupby(odd, key=itemgetter(0)):
            refused = 0
            for _, place in places:
                said = each.said(place)
                refused += not self._row(each.message, each.route, (said, said), run, refused)
            self._sum_up(each.message, run, refused)

    def _row(
        self,
        message: Message,
        route: Route,
        described: tuple[Told, object],
        run: _Run,
        refused: int,
        *,
        alone: bool = False,
    ) -> bool:
        """Whether the reading could be read: ``described`` is what is said of it, and its JSON."""
        said, entry = described
        try:
            row = self._reader.row(
                route,
                said,
                run.window,
                seen=entry,
                retained=message.retained,
                received_at=message.received_at,
            )
        except ReadingError as error:
            channel = route.channel(said.get("name", MISSING))
            if self._channels.is_unwanted(channel):
                return True
            if refused < MOST_REFUSED:
                shown = None if alone else entry
                self._refuse(run, message, str(error), channel=channel, entry=shown)
            return False
        run.gathered.rows.append(row)
        return True

    def _sum_up(self, message: Message, run: _Run, refused: int) -> None:
        if refused > MOST_REFUSED:
            reason = (
                f"{refused - MOST_REFUSED} more readings of this message were refused, beside the "
                f"{MOST_REFUSED} told one by one."
            )
            self._refuse(run, message, reason)

    def _refuse(
        self,
        run: _Run,
        message: Message,
        reason: str,
        *,
        channel: str = "",
        row: int | None = None,
        entry: object | None = None,
    ) -> None:
        payload = message.payload
        if entry is not None:
            # One row of many: its own JSON says more than the beginning of all.
            try:
                payload = msgspec.json.encode(entry)
            except _ODD:
                payload = message.payload
        name = channel if row is None else self._channels.names[row]
        run.refused.append(
            Refused(
                link=self.link,
                channel=name[:LONGEST_NAME_TOLD],
                reason=reason,
                payload=payload[:KEPT_OF_PAYLOAD],
                size=message.size,
                received_at=message.received_at,
            )
        )

    def _came_before(self, message: Message, run: _Run) -> bool:
        """Whether the message is a redelivery of one that is stored, or on its way to be."""
        packet = message.ack & 0xFFFF
        print_ = blake2b(message.topic.encode(), digest_size=10)
        print_.update(b"\0" + message.payload)
        receipt = self._mark + packet.to_bytes(2, "big") + print_.digest()
        if message.redelivered and self._received.get(packet) == receipt:
            return True
        self._received[packet] = receipt
        run.receipts.append(receipt)
        return False

    def _no_format(self, topic: str) -> str:
        known = [each.topic for each in self.formats]
        cut = topic[:LONGEST_NAME_TOLD]
        return f"No format is declared for topic {cut!r}.{nearest(cut, known)}"


@final
class _Run:
    """What one call of ``decode_all`` has found so far."""

    def __init__(self, window: Window) -> None:
        self.gathered = Gathered()
        self.refused: list[Refused] = []
        self.receipts: list[bytes] = []
        self.sequences: list[int] = []
        self.duplicates = 0
        self.plant_time: Instant | None = None
        self.ended = False
        self.tabled: list[Tabled] = []
        """Read by column, not yet checked; all of ``kind``."""
        self.kind: Kind | None = None
        self.readings = 0
        """How many are in ``tabled``."""
        self.window = window
        self.latest = window.latest

    def move_to(self, now: Instant) -> None:
        """It is ``now``."""
        self.window = replace(self.window, now=now)
        self.latest = self.window.latest


def _parsed(payload: bytes) -> object:
    """The JSON document.

    Raises:
        ReadingError: it is none.
    """
    try:
        return msgspec.json.decode(payload)
    except RecursionError as error:
        raise ReadingError("The payload is nested too deeply to be read.") from error
    except _UNREADABLE as error:
        raise ReadingError(_not_json(payload, error)) from error


def _not_json(payload: bytes, error: Exception) -> str:
    if not payload.strip():
        return "The payload is empty."
    found = _NOT_A_NUMBER.search(payload[:KEPT_OF_PAYLOAD])
    if found is None and re.fullmatch(rb"\s*-?(NaN|nan|Infinity|inf)\s*", payload[:20]):
        return f"{told(payload.strip().decode())} is no reading: what was not measured is not sent."
    if found is not None:
        return (
            f"The payload has {found[1].decode()}, which neither JSON nor a reading knows; what "
            "was not measured is not sent."
        )
    if payload.startswith(b"\xef\xbb\xbf"):
        return "The payload begins with a byte order mark, which JSON does not allow."
    start = told(payload[:40].decode("utf-8", "backslashreplace"))
    return f"The payload is not JSON ({error}); it begins with {start}."
