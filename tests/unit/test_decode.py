"""What messages say, and the sentence for each way in which they say nothing."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest

from gemeos.clock import SystemClock
from gemeos.errors import SchemaError, SettingsError
from gemeos.link.channels import Channels
from gemeos.link.decode import MOST_REFUSED, Decoder
from gemeos.link.format import MessageFormat, PlantTopics, TimeForm
from gemeos.link.message import KEPT_OF_PAYLOAD, Decoded, Limits, Message
from gemeos.schema.binding import Binding
from gemeos.schema.reading import Quality, Reading, Series, SeriesBook
from gemeos.units.instant import SECOND, Instant, instant

NOON = instant("2026-07-01T12:00Z")
WALL = instant("2026-11-22T00:00Z")


class StoodClock:
    """Site time that stands where it is put; the wall's is another."""

    def __init__(self, now: Instant = NOON) -> None:
        self.time = now

    def now(self) -> Instant:
        return self.time

    def wall(self) -> Instant:
        return WALL


UNITS = {("farm", "power"): "W", ("farm", "wind"): "m/s", ("farm", "air"): "degC"}
BINDINGS = [
    Binding(Series("scada", "T1/P"), "farm", "power", unit="kW"),
    Binding(Series("scada", "T2/P"), "farm", "power", unit="kW"),
    Binding(Series("scada", "T1/Ws"), "farm", "wind", unit="km/h"),
    Binding(Series("scada", "T1/Ta"), "farm", "air", unit="kelvin", scale=0.1, offset=200.0),
    Binding(Series("other", "T9/P"), "farm", "power"),
]


class Bench:
    def __init__(self, *formats: MessageFormat, **settings: Any) -> None:  # noqa: ANN401
        self.book = SeriesBook()
        self.clock = StoodClock()
        channels = Channels("scada", settings.pop("bindings", BINDINGS), UNITS, self.book)
        self.decoder = Decoder(
            formats or [MessageFormat("farm/{turbine}/{tag}")], channels, self.clock, **settings
        )

    def rows(self, decoded: Decoded) -> list[Reading]:
        assert decoded.refused == ()
        return list(decoded.readings.rows(self.book))

    def told(self, said: object, topic: str = "farm/T1/P", **flags: bool) -> list[Reading]:
        return self.rows(self.decoder.decode(topic, json.dumps(said).encode(), **flags))

    def refusal(self, payload: bytes | object, topic: str = "farm/T1/P") -> str:
        raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        decoded = self.decoder.decode(topic, raw)
        assert len(decoded.readings) == 0
        assert len(decoded.refused) == 1
        refused = decoded.refused[0]
        assert refused.link == "scada"
        assert refused.payload == raw[:KEPT_OF_PAYLOAD]
        assert refused.size == len(raw)
        assert refused.received_at == WALL
        return refused.reason


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_that_a_plain_message_becomes_a_reading_in_the_declared_unit(bench: Bench) -> None:
    rows = bench.told({"value": 1.5, "valid_at": "2026-07-01T20:30:00.25+09:00"})
    at = instant("2026-07-01T11:30:00.25Z")
    assert rows == [Reading(Series("scada", "T1/P"), at, 1500.0, received_at=WALL)]


@pytest.mark.parametrize(
    ("topic", "raw", "value"),
    [
        ("farm/T1/Ws", 36.0, 10.0),
        ("farm/T1/Ta", 931.5, 20.0),  # 931.5 * 0.1 + 200 = 293.15 K
    ],
)
def test_that_scale_offset_and_unit_are_applied_in_this_order(
    bench: Bench, topic: str, raw: float, value: float
) -> None:
    [row] = bench.told({"value": raw, "valid_at": "2026-07-01T11:00Z"}, topic)
    assert row.value == pytest.approx(value, abs=1e-9)


def test_that_a_swapped_sensor_is_converted_by_its_own_binding_from_its_day_on() -> None:
    swapped = instant("2026-07-01T10:00Z")
    bench = Bench(
        bindings=[
            Binding(Series("scada", "T1/P"), "farm", "power", unit="W"),
            Binding(Series("scada", "T1/P"), "farm", "power", unit="kW", since=swapped),
        ]
    )
    [before] = bench.told({"value": 7, "valid_at": "2026-07-01T09:59:59Z"})
    [after] = bench.told({"value": 7, "valid_at": "2026-07-01T10:00Z"})
    assert (before.value, after.value) == (7.0, 7000.0)


def test_that_two_conversions_of_one_reading_are_refused_when_declared() -> None:
    with pytest.raises(SchemaError, match="bound twice"):
        Bench(
            bindings=[
                Binding(Series("scada", "T1/P"), "farm", "power", unit="W"),
                Binding(Series("scada", "T1/P"), "farm", "power", unit="kW"),
            ]
        )


@pytest.mark.parametrize(
    ("form", "raw", "text"),
    [
        (TimeForm.SECONDS, 1782900000, "2026-07-01T10:00:00Z"),
        (TimeForm.SECONDS, 1782900000.123456, "2026-07-01T10:00:00.123456Z"),
        (TimeForm.MILLISECONDS, 1782900000125, "2026-07-01T10:00:00.125Z"),
        (TimeForm.MICROSECONDS, 1782900000000001, "2026-07-01T10:00:00.000001Z"),
        (TimeForm.ISO, "2026-07-01T10:00Z", "2026-07-01T10:00:00Z"),
        (TimeForm.ISO, "20260701T100000+0000", "2026-07-01T10:00:00Z"),
        (TimeForm.ISO, "2026-07-01 05:30:00.5-04:30", "2026-07-01T10:00:00.5Z"),
    ],
)
def test_that_each_form_of_time_is_read_exactly(
    form: TimeForm, raw: float | str, text: str
) -> None:
    bench = Bench(MessageFormat("farm/{turbine}/{tag}", time=form))
    # Twice: the second time an offset is known, and looked up instead of parsed.
    for _ in range(2):
        [row] = bench.told({"value": 1, "valid_at": raw})
        assert row.valid_at == instant(text)
    [row] = Bench(MessageFormat("farm/{turbine}/{tag}", time=form, quality="/q")).told(
        {"value": 1, "valid_at": raw}
    )
    assert row.valid_at == instant(text)


def test_that_a_time_without_offset_is_read_in_the_declared_zone_across_daylight_saving() -> None:
    bench = Bench(MessageFormat("farm/{turbine}/{tag}", zone="Europe/Paris"))
    [summer] = bench.told({"value": 1, "valid_at": "2026-06-30T12:00:00"})
    [winter] = bench.told({"value": 1, "valid_at": "2026-01-31T12:00:00"})
    assert summer.valid_at == instant("2026-06-30T10:00Z")
    assert winter.valid_at == instant("2026-01-31T11:00Z")


def test_that_a_time_without_offset_and_zone_is_refused(bench: Bench) -> None:
    assert "offset" in bench.refusal({"value": 1, "valid_at": "2026-07-01T10:00:00"})


def test_that_without_a_time_the_first_arrival_counts_where_that_is_declared() -> None:
    bench = Bench(MessageFormat("farm/{turbine}/{tag}", first_arrival=True))
    first, second = bench.told({"value": 1}) + bench.told({"value": 2})
    assert (first.valid_at, first.sample) == (NOON, 0)
    # The site's clock stands still: the next one is a reading of its own, not a correction.
    assert (second.valid_at, second.sample) == (NOON, 1)
    bench.clock.time += SECOND
    [third] = bench.told({"value": 3})
    assert (third.valid_at, third.sample) == (NOON + SECOND, 0)
    [dated] = bench.told({"value": 4, "valid_at": "2026-07-01T10:00Z"})
    assert dated.valid_at == instant("2026-07-01T10:00Z")


def test_that_a_bare_number_is_a_message() -> None:
    bench = Bench(
        MessageFormat("farm/{turbine}/{tag}", value="", valid_at=None, first_arrival=True)
    )
    [row] = bench.told(2.5)
    assert row.value == 2500.0


def test_that_everything_that_is_declared_is_found_by_its_pointer() -> None:
    bench = Bench(
        MessageFormat(
            "farm",
            channel="T1/{name}",
            name="/a~1b/0",
            value="/data/v",
            valid_at="/data/t",
            valid_from="/data/from",
            sample="/n",
            revision="/rev",
            sequence="/seq",
            quality="/q",
            unit="/m~0n",
        )
    )
    message = {
        "a/b": ["P"],
        "data": {"v": 2, "t": "2026-07-01T10:10Z", "from": "2026-07-01T10:00Z"},
        "n": 3,
        "rev": 4,
        "seq": 5,
        "q": "bad",
        "m~n": "kW",
    }
    decoded = bench.decoder.decode("farm", json.dumps(message).encode())
    assert bench.rows(decoded) == [
        Reading(
            Series("scada", "T1/P"),
            instant("2026-07-01T10:10Z"),
            2000.0,
            valid_from=instant("2026-07-01T10:00Z"),
            sample=3,
            revision=4,
            quality=Quality.SUSPECT,
            received_at=WALL,
        )
    ]
    assert decoded.sequences == (5,)


def test_that_a_list_of_readings_takes_from_the_message_what_its_rows_lack() -> None:
    bench = Bench(MessageFormat("farm", channel="{name}", name="/tag", each="/r", sequence="/seq"))
    message = {
        "valid_at": "2026-07-01T10:00Z",
        "seq": 9,
        "r": [
            {"tag": "T1/P", "value": 1},
            {"tag": "T2/P", "value": 2, "valid_at": "2026-07-01T11:00Z"},
        ],
    }
    decoded = bench.decoder.decode("farm", json.dumps(message).encode())
    assert [(r.series.channel, r.valid_at, r.value) for r in bench.rows(decoded)] == [
        ("T1/P", instant("2026-07-01T10:00Z"), 1000.0),
        ("T2/P", instant("2026-07-01T11:00Z"), 2000.0),
    ]
    assert decoded.sequences == (9,)


def test_that_of_a_list_only_the_bad_rows_are_refused() -> None:
    bench = Bench(MessageFormat("farm", channel="{name}", name="/tag", each=""))
    rows = [
        {"tag": "T1/P", "value": 1, "valid_at": "2026-07-01T10:00Z"},
        {"tag": "T1/Q", "value": 2, "valid_at": "2026-07-01T10:00Z"},
        {"tag": "T1/P", "value": "3", "valid_at": "2026-07-01T10:01Z"},
        {"tag": "T1/P", "value": 4, "valid_at": "1970-01-01T00:00Z"},
        {"tag": "T1/P", "value": 5, "valid_at": "2026-07-01T10:02Z"},
    ]
    decoded = bench.decoder.decode("farm", json.dumps(rows).encode())
    assert decoded.readings.value.tolist() == [1000.0, 5000.0]
    assert [r.channel for r in decoded.refused] == ["T1/Q", "T1/P", "T1/P"]
    assert "Did you mean 'T1/P'?" in decoded.refused[0].reason
    assert json.loads(decoded.refused[1].payload) == rows[2]


@pytest.mark.parametrize("bad", [{"value": [1, None]}, {"channel": ["T1/P", "T1/Q"]}])
def test_that_of_columns_only_the_bad_rows_are_refused(bad: dict[str, list[Any]]) -> None:
    bench = Bench(MessageFormat("farm", channel="{name}", name="/channel", columns=True))
    columns = {"channel": ["T1/P", "T2/P"], "value": [1, 2], "valid_at": "2026-07-01T10:00Z", **bad}
    decoded = bench.decoder.decode("farm", json.dumps(columns).encode())
    assert decoded.readings.value.tolist() == [1000.0]
    assert len(decoded.refused) == 1


def test_that_columns_become_readings_and_what_is_told_once_is_told_of_all() -> None:
    bench = Bench(
        MessageFormat(
            "acc/{turbine}", channel="{turbine}/P", columns=True, time=TimeForm.MILLISECONDS
        )
    )
    start = instant("2026-07-01T10:00Z") // 1000
    message = {"valid_at": [start, start + 10, start + 20], "value": [1, 2, 3]}
    rows = bench.told(message, "acc/T1")
    assert [(r.valid_at, r.value) for r in rows] == [
        (start * 1000 + 10_000 * k, 1000.0 * (k + 1)) for k in range(3)
    ]


def test_that_columns_of_different_lengths_are_refused_as_a_whole() -> None:
    bench = Bench(MessageFormat("farm", channel="T1/P", columns=True))
    text = bench.refusal({"value": [1, 2], "valid_at": ["2026-07-01T10:00Z"]}, "farm")
    assert "value 2" in text
    assert "valid_at 1" in text


def test_that_several_values_of_one_message_go_to_their_channels() -> None:
    bench = Bench(
        MessageFormat(
            "farm/{turbine}",
            channel="{turbine}/{name}",
            values={"/power": "P", "/wind/speed": "Ws", "/air": "Ta"},
        )
    )
    message = {"valid_at": "2026-07-01T10:00Z", "power": 2, "wind": {"speed": 3.6}}
    rows = bench.told(message, "farm/T1")
    assert [(r.series.channel, r.value) for r in rows] == [("T1/P", 2000.0), ("T1/Ws", 1.0)]
    assert "None of the declared values" in bench.refusal({"powr": 1}, "farm/T1")


def test_that_order_is_kept_between_lists_and_single_readings() -> None:
    bench = Bench(
        MessageFormat("one/{turbine}/{tag}"),
        MessageFormat("many/{turbine}/{tag}", columns=True),
    )
    time = "2026-07-01T10:00Z"
    sent = [
        ("one/T1/P", {"value": 1, "valid_at": time}),
        ("many/T1/P", {"value": [2, 3], "valid_at": time}),
        ("one/T1/P", {"value": 4, "valid_at": time}),
        ("many/T1/P", {"value": [5], "valid_at": time}),
    ]
    raw = [(topic, json.dumps(said).encode()) for topic, said in sent]
    decoded = bench.decoder.decode_all([Message(t, p, len(p), WALL) for t, p in raw])
    assert [r.value for r in bench.rows(decoded)] == [1000.0, 2000.0, 3000.0, 4000.0, 5000.0]


def test_that_a_null_with_a_revision_takes_the_reading_back() -> None:
    bench = Bench(MessageFormat("farm/{turbine}/{tag}", revision="/rev"))
    [row] = bench.told({"value": None, "rev": 2, "valid_at": "2026-07-01T10:00Z"})
    assert (row.quality, row.revision) == (Quality.RETRACTED, 2)
    assert math.isnan(row.value)
    assert "null" in bench.refusal({"value": None, "valid_at": "2026-07-01T10:00Z"})


def test_that_a_declared_pointer_takes_the_reading_back_in_columns_too() -> None:
    bench = Bench(MessageFormat("farm/{turbine}/{tag}", retracted="/gone", columns=True))
    message = {"value": [1, 2], "gone": [True, False], "valid_at": "2026-07-01T10:00Z"}
    assert {r.quality for r in bench.told(message)} == {Quality.RETRACTED, Quality.GOOD}


def test_that_a_retained_message_is_marked_as_the_brokers_memory(bench: Bench) -> None:
    message = {"value": 1, "valid_at": "2026-07-01T10:00Z"}
    assert bench.told(message, retained=True)[0].quality is Quality.RETAINED
    columns = Bench(MessageFormat("farm/{turbine}/{tag}", columns=True))
    row = columns.told({"value": [1], "valid_at": "2026-07-01T10:00Z"}, retained=True)[0]
    assert row.quality is Quality.RETAINED


@pytest.mark.parametrize(
    ("payload", "part"),
    [
        (b"", "empty"),
        (b"  \n", "empty"),
        (b"{", "not JSON"),
        (b"\xff\xfe\x00", "not JSON"),
        (b"\xef\xbb\xbf{}", "byte order mark"),
        (b'{"value": NaN, "valid_at": "2026-07-01T10:00Z"}', "NaN"),
        (b'{"value": -Infinity, "valid_at": "2026-07-01T10:00Z"}', "-Infinity"),
        (b'{"value": 1e999, "valid_at": "2026-07-01T10:00Z"}', "out of range"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"x": ' + b"[" * 100_000, "nested too deeply"),
        ({"value": None, "valid_at": "2026-07-01T10:00Z"}, "null"),
        ({"value": True, "valid_at": "2026-07-01T10:00Z"}, "true is not a number"),
        ({"value": "12.5", "valid_at": "2026-07-01T10:00Z"}, "without quotes"),
        ({"value": {"v": 1}, "valid_at": "2026-07-01T10:00Z"}, "too short"),
        ({"val": 1, "valid_at": "2026-07-01T10:00Z"}, "Did you mean '/val'?"),
        ({"value": 1}, "No time"),
        ({"value": 1, "valid_at": 1782900000}, "not text"),
        ({"value": 1, "valid_at": "yesterday"}, "cannot be read"),
        ({"value": 1, "valid_at": "1970-01-01T00:00:01Z"}, "earliest"),
        ({"value": 1, "valid_at": "1001-01-01T00:00+23:59"}, "earliest"),
        ({"value": 1, "valid_at": "2026-07-01T13:00:01Z"}, "3601 s ahead of site time"),
        (7, "no value"),
    ],
)
def test_that_each_way_to_be_wrong_has_its_sentence(
    bench: Bench, payload: bytes | object, part: str
) -> None:
    assert part in bench.refusal(payload)


def test_that_a_reading_an_hour_ahead_is_believed_and_one_later_is_not(bench: Bench) -> None:
    assert len(bench.told({"value": 1, "valid_at": "2026-07-01T13:00:00Z"})) == 1
    assert "ahead" in bench.refusal({"value": 1, "valid_at": "2026-07-01T13:00:00.000001Z"})


def test_that_a_number_in_another_unit_of_time_is_guessed() -> None:
    bench = Bench(MessageFormat("farm/{turbine}/{tag}", time=TimeForm.SECONDS))
    text = bench.refusal({"value": 1, "valid_at": 1782900000000})
    assert "Did you mean time = 'ms'? Then it is 2026-07-01T10:00:00+00:00." in text
    assert "Did you mean time = 'iso'?" in bench.refusal({"value": 1, "valid_at": "2026-07-01"})


def test_that_an_unknown_channel_is_refused_with_the_nearest(bench: Bench) -> None:
    text = bench.refusal({"value": 1, "valid_at": "2026-07-01T10:00Z"}, "farm/T1/Wss")
    assert "no channel 'T1/Wss'" in text
    assert "Did you mean 'T1/Ws'?" in text


def test_that_the_nearest_of_ten_thousand_channels_is_found() -> None:
    names = [f"T{number:05}/power" for number in range(10_000)]
    bindings = [Binding(Series("scada", name), "farm", "power") for name in names]
    text = Bench(bindings=bindings).refusal(
        {"value": 1, "valid_at": "2026-07-01T10:00Z"}, "farm/T04711/powr"
    )
    assert "Did you mean 'T04711/power'?" in text


def test_that_a_topic_of_no_format_is_refused_with_the_nearest(bench: Bench) -> None:
    text = bench.refusal({"value": 1}, "farms/T1/P/x")
    assert text.startswith("No format is declared for topic 'farms/T1/P/x'.")
    assert "farm/{turbine}/{tag}" in text


def test_that_another_unit_than_the_declared_one_is_refused() -> None:
    bench = Bench(MessageFormat("farm/{turbine}/{tag}", unit="/u"))
    message = {"value": 1, "valid_at": "2026-07-01T10:00Z"}
    assert len(bench.told({**message, "u": "kW"})) == 1
    assert len(bench.told({**message, "u": "kilowatt"})) == 1
    assert "declared in 'kW'" in bench.refusal({**message, "u": "W"})
    assert "not a unit" in bench.refusal({**message, "u": "horses"})
    assert "missing" in bench.refusal(message)


def test_that_a_payload_over_the_limit_is_refused_and_its_beginning_kept() -> None:
    bench = Bench(limits=Limits(payload=10_000))
    big = b'{"value": 1, "valid_at": "2026-07-01T10:00Z", "x": "' + b"y" * 10_000 + b'"}'
    assert f"{len(big)} bytes; at most 10000" in bench.refusal(big)


def test_that_a_value_beyond_all_numbers_after_conversion_is_refused(bench: Bench) -> None:
    raw = b'{"value": 1e307, "valid_at": "2026-07-01T10:00Z"}'
    decoded = bench.decoder.decode("farm/T1/P", raw)
    assert len(decoded.readings) == 0
    assert [(r.channel, "1e+307" in r.reason) for r in decoded.refused] == [("T1/P", True)]


def test_that_a_value_that_no_member_can_be_compared_with_is_refused(bench: Bench) -> None:
    # Members are float32, and their largest number is 3.4e38; 1e36 kW are 1e39 W.
    raw = b'{"value": 1e34, "valid_at": "2026-07-01T10:00Z"}'
    assert len(bench.decoder.decode("farm/T1/P", raw).readings) == 1
    raw = b'{"value": 1e36, "valid_at": "2026-07-01T10:00Z"}'
    (refused,) = bench.decoder.decode("farm/T1/P", raw).refused
    assert "3.4e+38" in refused.reason


def test_that_a_flood_of_bad_rows_in_one_message_is_told_in_bounds() -> None:
    bench = Bench(MessageFormat("farm", channel="T1/P", columns=True))
    count = MOST_REFUSED + 500
    message = {"value": [None] * count, "valid_at": "2026-07-01T10:00Z"}
    decoded = bench.decoder.decode("farm", json.dumps(message).encode())
    assert len(decoded.refused) == MOST_REFUSED + 1
    assert decoded.refused[-1].reason.startswith("500 more")


def message(payload: bytes, packet: int, *, redelivered: bool = False) -> Message:
    return Message(
        "farm/T1/P", payload, len(payload), WALL, redelivered=redelivered, ack=(7 << 16) | packet
    )


def test_that_a_redelivered_message_without_time_is_dropped_only_where_its_receipt_is_known() -> (
    None
):
    format_ = MessageFormat("farm/{turbine}/{tag}", first_arrival=True, sequence="/seq")
    first = Bench(format_).decoder.decode_all([message(b'{"value": 1, "seq": 40}', 5)])
    assert len(first.receipts) == 1

    again = message(b'{"value": 1, "seq": 40}', 5, redelivered=True)
    restarted = Bench(format_, receipts=[b"another link's!!", *first.receipts])
    dropped = restarted.decoder.decode_all([again])
    assert (len(dropped.readings), dropped.duplicates, dropped.receipts) == (0, 1, ())
    assert dropped.sequences == (40,)  # it is stored, so its sender may be told so

    kept = Bench(format_).decoder.decode_all([again])
    assert (len(kept.readings), kept.duplicates) == (1, 0)


def test_that_an_equal_reading_in_a_packet_number_used_again_is_not_a_duplicate() -> None:
    bench = Bench(MessageFormat("farm/{turbine}/{tag}", first_arrival=True))
    sent = [message(b'{"value": 1}', 5), message(b'{"value": 1}', 6), message(b'{"value": 1}', 5)]
    decoded = bench.decoder.decode_all(sent)
    assert (len(decoded.readings), decoded.duplicates) == (3, 0)


def test_that_a_redelivered_message_with_a_time_passes(bench: Bench) -> None:
    said = {"value": 1, "valid_at": "2026-07-01T10:00Z"}
    assert len(bench.told(said)) == len(bench.told(said, redelivered=True)) == 1


def test_that_the_plants_clock_moves_what_is_believed_and_its_end_is_heard() -> None:
    bench = Bench(plant=PlantTopics(clock="clock", time="/t", end="end"))
    later = {"value": 1, "valid_at": "2026-07-02T12:00Z"}
    assert "ahead" in bench.refusal(later)
    decoded = bench.decoder.decode("clock", b'{"t": "2026-07-02T11:30Z"}')
    assert decoded.plant_time == instant("2026-07-02T11:30Z")
    assert len(bench.told(later)) == 1
    assert not bench.decoder.decode("end", b"", retained=True).ended
    assert bench.decoder.decode("end", b"").ended
    assert "no time" in bench.refusal({"x": 1}, "clock")


def test_that_refused_messages_count_among_the_sequence_numbers() -> None:
    bench = Bench(MessageFormat("farm/{turbine}/{tag}", sequence="/seq"))
    decoded = bench.decoder.decode("farm/T1/P", b'{"value": null, "seq": 12}')
    assert len(decoded.refused) == 1
    assert decoded.sequences == (12,)


def test_that_columns_read_together_equal_columns_read_alone() -> None:
    format_ = MessageFormat("farm", channel="{name}", name="/c", columns=True, quality="/q")
    parts: list[dict[str, Any]] = [
        {"c": ["T1/P", "T2/P"], "value": [1, 2], "valid_at": "2026-07-01T10:00Z", "q": "good"},
        {"c": "T1/Q", "value": [3, 4], "valid_at": "2026-07-01T10:01Z"},
        {"c": "T1/P", "value": [5], "valid_at": ["2026-07-01T10:02Z"], "q": ["bad"]},
    ]
    raw = [json.dumps(part).encode() for part in parts]
    together = Bench(format_).decoder.decode_all([Message("farm", p, len(p), WALL) for p in raw])
    decoder = Bench(format_).decoder
    alone = Decoded.joined([decoder.decode("farm", p) for p in raw])
    for column in ("series", "valid_at", "value", "quality"):
        np.testing.assert_array_equal(
            getattr(together.readings, column), getattr(alone.readings, column)
        )
    assert together.readings.value.tolist() == [1000.0, 2000.0, 5000.0]
    assert together.readings.quality.tolist() == [0, 0, Quality.SUSPECT]
    assert [r.reason for r in together.refused] == [r.reason for r in alone.refused]
    assert len(together.refused) == 2


def test_that_a_decoder_without_formats_is_refused() -> None:
    with pytest.raises(SettingsError, match="no message format"):
        Decoder([], Channels("scada", [], {}, SeriesBook()), StoodClock())


def test_that_a_channel_that_is_declared_unwanted_is_let_go_and_others_are_told() -> None:
    book = SeriesBook()
    binding = Binding(Series("l", "T1/power"), "farm", "power")
    channels = Channels("l", [binding], {("farm", "power"): "kW"}, book, unwanted=["*/noise"])
    decoder = Decoder(
        [MessageFormat("f/{turbine}/{tag}", sequence="/seq")], channels, SystemClock()
    )
    payload = b'{"value": 1.0, "valid_at": "2026-01-01T00:00Z", "seq": 7}'
    let_go = decoder.decode("f/T1/noise", payload)
    assert (len(let_go.readings), let_go.refused, let_go.sequences) == (0, (), (7,))
    told = decoder.decode("f/T1/nois", payload)
    assert [r.channel for r in told.refused] == ["T1/nois"]
    assert len(decoder.decode("f/T1/power", payload).readings) == 1
