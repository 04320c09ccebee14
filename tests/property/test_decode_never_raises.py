"""Whatever comes in, decoding answers; and the fast ways answer what the careful way does."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemeos.link.channels import Channels
from gemeos.link.decode import Decoder
from gemeos.link.format import MessageFormat, PlantTopics, TimeForm
from gemeos.link.message import Decoded, Message
from gemeos.schema.binding import Binding
from gemeos.schema.reading import Quality, Readings, Series, SeriesBook
from gemeos.units.instant import Instant, instant

NOON = instant("2026-07-01T12:00Z")
FORMATS = {
    "plain": MessageFormat("plain/{part}/{tag}", sequence="/seq"),
    "named": MessageFormat("named", channel="c/{name}", name="/n", time=TimeForm.MILLISECONDS),
    "full": MessageFormat(
        "full",
        channel="c/{name}",
        name="/n",
        valid_from="/from",
        sample="/sample",
        revision="/rev",
        retracted="/gone",
        quality="/q",
        unit="/u",
        sequence="/seq",
        first_arrival=True,
        zone="Asia/Seoul",
    ),
    "each": MessageFormat(
        "each",
        channel="c/{name}",
        name="/n",
        each="/r",
        valid_from="/from",
        sample="/sample",
        revision="/rev",
        retracted="/gone",
        quality="/q",
        unit="/u",
        sequence="/seq",
    ),
    "columns": MessageFormat(
        "columns",
        channel="c/{name}",
        name="/n",
        columns=True,
        time=TimeForm.SECONDS,
        revision="/rev",
        quality="/q",
        sequence="/seq",
    ),
    "values": MessageFormat("values", channel="c/{name}", values={"/v": "v", "/a/b": "w"}),
    "whole": MessageFormat(
        "whole", channel="c/v", value="", valid_at=None, first_arrival=True, time=TimeForm.SECONDS
    ),
}
TOPICS = ["plain/c/v", *[name for name in FORMATS if name != "plain"], "clock", "end", "none", ""]


class StoodClock:
    def now(self) -> Instant:
        return NOON

    def wall(self) -> Instant:
        return NOON


def decoder(*, compiled: bool = True) -> Decoder:
    bindings = [
        Binding(Series("link", "c/v"), "twin", "v", unit="km"),
        Binding(Series("link", "c/w"), "twin", "w", unit="degC"),
        Binding(Series("link", "c/7"), "twin", "w", scale=1e300),
    ]
    channels = Channels("link", bindings, {("twin", "v"): "m", ("twin", "w"): "kelvin"}, BOOK)
    made = Decoder(
        list(FORMATS.values()),
        channels,
        StoodClock(),
        plant=PlantTopics(clock="clock", end="end"),
    )
    if not compiled:
        for kind in made._routes._kinds:
            kind.single = kind.table = None
    return made


BOOK = SeriesBook()
decoder()  # the registry of units takes its third of a second here, not in the first example
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-5, 5)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from([1782900000, 1782900000000, 1e300, 2**63, 10**400, -0.0])
    | st.sampled_from(["v", "w", "7", "good", "km", "degC", "parsec", "2026-07-01T10:00Z"])
    | st.sampled_from(["2026-07-01T10:00:00", "9999-12-31T23:59:59-23:59", "x" * 5000])
    | st.text(max_size=20)
)
KEYS = ["value", "valid_at", "n", "from", "sample", "rev", "gone", "q", "u", "seq", "v", "a", "r"]
ENTRIES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from([*KEYS, "b", "t"]) | st.text(max_size=3), inner)
    ),
    max_leaves=15,
)
GOOD_ROW = {"value": 1.5, "valid_at": "2026-07-01T10:00Z", "n": "v", "u": "km", "seq": 3}


@st.composite
def almost_right(draw: st.DrawFn) -> dict[str, Any]:
    row: dict[str, Any] = dict(GOOD_ROW)
    for key in draw(st.lists(st.sampled_from(KEYS), max_size=3)):
        row[key] = draw(SCALARS | ENTRIES)
    for key in draw(st.lists(st.sampled_from(KEYS), max_size=1)):
        row.pop(key, None)
    return row


@st.composite
def columns_almost_right(draw: st.DrawFn) -> dict[str, Any]:
    count = draw(st.integers(0, 4))
    message: dict[str, Any] = {
        "value": [1.0] * count,
        "valid_at": draw(st.sampled_from([1782900000, [1782900000.5] * count])),
        "n": draw(st.sampled_from(["v", ["w"] * count, [7] * count, ["nobody"] * count])),
    }
    for key in draw(st.lists(st.sampled_from(["value", "valid_at", "n", "rev", "q", "seq"]))):
        message[key] = draw(SCALARS | st.lists(SCALARS, min_size=count, max_size=count))
    return message


DOCUMENTS = (
    ENTRIES
    | almost_right()
    | st.lists(almost_right(), max_size=4).map(lambda rows: {"r": rows})
    | st.lists(almost_right(), max_size=3).map(lambda rows: {**GOOD_ROW, "r": rows})
    | columns_almost_right()
)


def checked(decoded: Decoded) -> Decoded:
    """The decoded, after what must be so whatever came in."""
    readings = decoded.readings
    usable = np.isfinite(readings.value) | (readings.quality == Quality.RETRACTED)
    assert usable.all()
    assert (readings.valid_from <= readings.valid_at).all()
    assert all(
        refused.reason and len(refused.payload) <= 4096 and len(refused.channel) <= 120
        for refused in decoded.refused
    )
    return decoded


def wire(document: object) -> bytes:
    """JSON, with what Python can write although JSON has no such number."""
    return json.dumps(document).encode()


@settings(deadline=2000)
@given(st.sampled_from(TOPICS), st.binary(max_size=200), st.booleans(), st.booleans())
def test_that_any_bytes_are_answered(
    topic: str, payload: bytes, retained: bool, redelivered: bool
) -> None:
    decoded = checked(decoder().decode(topic, payload, retained=retained, redelivered=redelivered))
    silent = topic == "end" or decoded.plant_time is not None
    empty = topic in {"each", "columns"}  # a list of no readings says nothing wrong
    assert silent or empty or len(decoded.readings) + len(decoded.refused) > 0


@settings(deadline=2000)
@given(st.sampled_from(TOPICS), st.text())
def test_that_any_topic_is_answered(topic: str, more: str) -> None:
    decoded = checked(decoder().decode(topic + more, b'{"value": 1}'))
    assert len(decoded.refused) == 1 or topic == "end"


@pytest.mark.parametrize("topic", TOPICS)
@pytest.mark.parametrize("depth", [10, 300, 700, 900, 950, 980, 990, 1000, 1010, 1500, 5000])
def test_that_deep_nesting_is_answered_however_near_the_limit(topic: str, depth: int) -> None:
    for start, end in ((b"[", b"]"), (b'{"value":', b"}")):
        nested = start * depth + b"1" + end * depth
        for payload in (nested, b'{"value":' + nested + b"}", b'{"r":[' + nested + b"]}"):
            checked(decoder().decode(topic, payload))


@pytest.mark.parametrize("digits", [400, 4000, 4299, 4300, 4301, 100_000])
def test_that_numbers_of_any_length_are_answered(digits: int) -> None:
    for key in ("value", "valid_at", "rev", "seq", "sample", "n", "u", "q"):
        for topic in TOPICS:
            raw = wire(GOOD_ROW)[:-1] + f', "{key}": '.encode() + b"9" * digits + b"}"
            checked(decoder().decode(topic, raw))


@pytest.mark.parametrize("unit", ["9**9**9**9", "m^(9^9^9)", "x" * 100_000, "m**1e9", "m**999999"])
def test_that_a_unit_that_would_take_for_ever_is_not_looked_up(unit: str) -> None:
    decoded = checked(decoder().decode("full", wire({**GOOD_ROW, "u": unit})))
    assert "not looked up" in decoded.refused[0].reason


@settings(deadline=2000)
@given(st.sampled_from(TOPICS), DOCUMENTS, st.integers(0, 400), st.binary(max_size=3))
def test_that_mutated_json_is_answered(
    topic: str, document: object, place: int, wrong: bytes
) -> None:
    whole = wire(document)
    cut = whole[:place] + wrong + whole[place + len(wrong) :]
    checked(decoder().decode(topic, cut))


def told(readings: Readings) -> list[list[Any]]:
    """The rows in an order of their own: rows that need care come after the others."""
    columns = [getattr(readings, column.name).tolist() for column in fields(readings)]
    return sorted(([repr(entry) for entry in row] for row in zip(*columns, strict=True)), key=repr)


@pytest.mark.parametrize("name", FORMATS)
@settings(deadline=2000)
@given(documents=st.lists(DOCUMENTS, min_size=1, max_size=4))
def test_that_the_compiled_way_and_the_careful_way_agree(
    name: str, documents: list[object]
) -> None:
    topic = "plain/c/v" if name == "plain" else name
    payloads = [wire(document) for document in documents]
    messages = [Message(topic, payload, len(payload), NOON) for payload in payloads]
    fast = checked(decoder().decode_all(messages))
    slow = checked(decoder(compiled=False).decode_all(messages))
    assert told(fast.readings) == told(slow.readings)
    assert len(fast.refused) == len(slow.refused)
    assert sorted(fast.sequences) == sorted(slow.sequences)


@settings(deadline=2000)
@given(st.lists(DOCUMENTS, max_size=5), st.integers(1, 4))
def test_that_messages_decoded_together_equal_messages_decoded_one_by_one(
    documents: list[object], size: int
) -> None:
    payloads = [wire(document) for document in documents]
    topics = ["each", "columns", "plain/c/v", "full"]
    messages = [
        Message(topics[place % size], payload, len(payload), NOON)
        for place, payload in enumerate(payloads)
    ]
    one, other = decoder(), decoder()
    together = one.decode_all(messages)
    alone = Decoded.joined([other.decode_all([message]) for message in messages])
    assert told(together.readings) == told(alone.readings)
    assert sorted(r.reason for r in together.refused) == sorted(r.reason for r in alone.refused)
    assert together.sequences == alone.sequences
