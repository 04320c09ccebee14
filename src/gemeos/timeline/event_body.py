"""The body of an event as JSON text, and back."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

Body = Mapping[str, str | float | int | bool | None]
_decoder = msgspec.json.Decoder(dict[str, str | float | int | bool | None])


def body_text(body: Body) -> str:
    """JSON has no number that is not finite: such a one becomes null."""
    return msgspec.json.encode(body).decode()


def body_of(text: str) -> Body:
    """What ``body_text`` wrote."""
    return _decoder.decode(text)
