"""Where messages that are sent over HTTP become readings: one desk a link."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Annotated, Any, Final, final

import msgspec
from msgspec import UNSET, Meta, Raw, UnsetType

from gemeos.errors import InputError
from gemeos.link.channels import Channels
from gemeos.link.decode import Decoder
from gemeos.link.format import MessageFormat
from gemeos.link.message import KEPT_OF_PAYLOAD, Limits
from gemeos.runtime.host import Host
from gemeos.schema.reading import Readings, Refused
from gemeos.serve import messages as m


class ReadingBody(msgspec.Struct, kw_only=True):
    """One reading."""

    channel: str
    valid_at: m.Time
    value: float | None
    """In the channel's unit; null only together with ``revision``, to take a reading back."""
    valid_from: m.Time | None = None
    """Start of the interval that it covers."""
    sample: Annotated[int, Meta(ge=0, le=2**31 - 1)] | None = None
    revision: Annotated[int, Meta(ge=0, le=2**63 - 1)] | None = None
    retracted: bool | None = None
    quality: str | None = None
    """``good``, or anything else for a reading that the source itself doubts."""
    unit: str | None = None
    """Checked against the channel's. If one reading of a message tells it, all must."""


class ColumnsBody(msgspec.Struct, kw_only=True):
    """Readings in columns of one length; what is not a list is told of every reading."""

    channel: list[str] | str
    valid_at: Annotated[list[m.Time], Meta(min_length=1)]
    value: list[float]
    unit: list[str] | str | None = None


BODIES: Final = (ReadingBody, list[ReadingBody], ColumnsBody)
"""What a message may be."""


def _formats() -> tuple[MessageFormat, ...]:
    kinds: dict[str, dict[str, Any]] = {
        "one": {},
        "list": {"each": ""},
        "columns": {"columns": True},
    }
    return tuple(
        MessageFormat(
            topic=f"{kind}{'-unit' if unit else ''}",
            channel="{name}",
            name="/channel",
            valid_from="/valid_from",
            sample="/sample",
            revision="/revision",
            retracted="/retracted",
            quality="/quality",
            unit=unit,
            **settings,
        )
        for kind, settings in kinds.items()
        for unit in (None, "/unit")
    )


FORMATS: Final = _formats()


class _Peek(msgspec.Struct, gc=False):
    value: Raw | UnsetType = UNSET
    valid_at: Raw | UnsetType = UNSET
    channel: Raw | UnsetType = UNSET
    unit: Raw | UnsetType = UNSET


@final
class Desk:
    """Decodes what is sent to one link; one message after the other."""

    def __init__(self, host: Host, link: str, most: int) -> None:
        """``most`` bytes of a message are read."""
        bindings = [b for t in host.site.twins for b in t.bindings if b.series.link == link]
        units = {
            (b.twin, b.variable): host.fleet(b.twin).schema.variable(b.variable).unit
            for b in bindings
        }
        channels = Channels(link, bindings, units, host.timeline.book)
        self._link = link
        self._wall = host.clock.wall
        self._decoder = Decoder(FORMATS, channels, host.clock, limits=Limits(payload=most))
        self.turn = asyncio.Lock()
        """The decoder is not for several threads at once."""

    def decode(self, payload: bytes, *, packed: bool) -> tuple[Readings, tuple[Refused, ...]]:
        """What it says, or why it says nothing.

        Raises:
            InputError: columns without a reading: nothing is there that could be kept.
        """
        if packed:
            try:
                payload = _as_json(payload)
            except (msgspec.MsgspecError, ValueError, TypeError, RecursionError) as error:
                reason = f"The payload is not MessagePack of readings: {error}."
                return Readings.none(), (self.refused(payload, len(payload), reason),)
        topic = _topic(payload)
        decoded = self._decoder.decode(topic, payload)
        if topic.startswith("columns") and not (len(decoded.readings) or decoded.refused):
            raise InputError("The columns hold no reading.")
        return decoded.readings, decoded.refused

    def refused(self, payload: bytes, size: int, reason: str) -> Refused:
        """A row of the quarantine for a whole message."""
        return Refused(
            link=self._link,
            channel="",
            reason=reason,
            payload=payload[:KEPT_OF_PAYLOAD],
            size=size,
            received_at=self._wall(),
        )


def _as_json(payload: bytes) -> bytes:
    """MessagePack as JSON, so that there is one decoder.

    NaN stays NaN, which the decoder refuses: it must not become null, which takes a reading back.
    """
    told = msgspec.msgpack.decode(payload)
    return json.dumps(told, default=_isoformat, allow_nan=True).encode()


def _isoformat(value: Any) -> str:  # noqa: ANN401  whatever MessagePack holds
    isoformat: Callable[[], str] | None = getattr(value, "isoformat", None)
    if isoformat is None:
        raise TypeError(f"{type(value).__name__} stands where a number, a text or a time should")
    return isoformat()


def _topic(payload: bytes) -> str:
    """Which of the formats it has; if it is not JSON, any: the decoder tells what is wrong."""
    start = payload.lstrip()[:1]
    try:
        if start == b"[":
            rows = msgspec.json.decode(payload, type=list[_Peek])
            return _named("list", any(row.unit is not UNSET for row in rows))
        peek = msgspec.json.decode(payload, type=_Peek)
    except (msgspec.MsgspecError, RecursionError, ValueError):
        return "list" if start == b"[" else "one"
    columns = any(_is_list(raw) for raw in (peek.value, peek.valid_at, peek.channel))
    return _named("columns" if columns else "one", peek.unit is not UNSET)


def _is_list(raw: Raw | UnsetType) -> bool:
    return raw is not UNSET and bytes(raw).lstrip()[:1] == b"["


def _named(kind: str, unit: bool) -> str:  # noqa: FBT001
    return f"{kind}-unit" if unit else kind
