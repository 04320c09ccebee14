"""Formats of messages: what is declared, and what is refused when it is."""

from __future__ import annotations

from typing import Any

import pytest

from gemeos.errors import SettingsError
from gemeos.link._shape import MISSING, follow
from gemeos.link.format import MessageFormat, PlantTopics, TimeForm, pointer
from gemeos.link.mqtt import Broker, ranges

# The document and the pointers of RFC 6901, section 5.
RFC_DOCUMENT = {
    "foo": ["bar", "baz"],
    "": 0,
    "a/b": 1,
    "c%d": 2,
    "e^f": 3,
    "g|h": 4,
    "i\\j": 5,
    'k"l': 6,
    " ": 7,
    "m~n": 8,
}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", RFC_DOCUMENT),
        ("/foo", ["bar", "baz"]),
        ("/foo/0", "bar"),
        ("/", 0),
        ("/a~1b", 1),
        ("/c%d", 2),
        ("/e^f", 3),
        ("/g|h", 4),
        ("/i\\j", 5),
        ('/k"l', 6),
        ("/ ", 7),
        ("/m~0n", 8),
        ("/foo/2", MISSING),
        ("/foo/-", MISSING),
        ("/foo/00", MISSING),
        ("/foo/bar", MISSING),
        ("/a~1b/c", MISSING),
    ],
)
def test_that_pointers_find_what_rfc_6901_says(text: str, found: object) -> None:
    where = pointer(text)
    assert where is not None
    assert follow(RFC_DOCUMENT, where) == found


@pytest.mark.parametrize(
    ("topic", "subscribed", "channel"),
    [
        ("farm/{turbine}/{tag}", "farm/+/+", "{turbine}/{tag}"),
        ("farm/T{number}/power", "farm/+/power", "{number}"),
        ("+/{tag}/#", "+/+/#", "{tag}"),
        ("{a}", "+", "{a}"),
    ],
)
def test_that_the_subscription_follows_from_the_topic(
    topic: str, subscribed: str, channel: str
) -> None:
    declared = MessageFormat(topic)
    assert declared.filter == subscribed
    assert declared.template == channel


@pytest.mark.parametrize(
    ("template", "topic", "pieces"),
    [
        ("farm/{turbine}/{tag}", "farm/R80711/P_avg", {"turbine": "R80711", "tag": "P_avg"}),
        ("farm/{turbine}/{tag}", "farm/R80711", None),
        ("farm/{turbine}/{tag}", "farm/R80711/P/x", None),
        ("farm/{turbine}/{tag}", "farm//P", None),
        ("a.b/{x}", "aXb/1", None),
        ("farm/T{n}-{k}/p", "farm/T7-8/p", {"n": "7", "k": "8"}),
        ("{x}/#", "a", {"x": "a"}),
        ("{x}/#", "a/b/c", {"x": "a"}),
        ("+/{x}", "/b", {"x": "b"}),
    ],
)
def test_that_a_topic_is_taken_apart_as_its_template_says(
    template: str, topic: str, pieces: dict[str, str] | None
) -> None:
    assert MessageFormat(template).matched(topic) == pieces


@pytest.mark.parametrize(
    ("settings", "part"),
    [
        ({"topic": ""}, "empty"),
        ({"topic": "farm/{a}/{a}"}, "name of its own"),
        ({"topic": "farm/{name}"}, "kept for"),
        ({"topic": "farm/{a b}"}, "letters, digits"),
        ({"topic": "farm/x+/{a}"}, "whole level"),
        ({"topic": "farm/#/{a}"}, "at the end"),
        ({"topic": "farm"}, "nothing tells the channel"),
        ({"value": "value"}, "Did you mean '/value'?"),
        ({"value": "/a~b"}, "'~0'"),
        ({"channel": "{turbin}/P"}, "Did you mean 'turbine'?"),
        ({"channel": "{turbine.x}"}, "as in '{turbine}'"),
        ({"channel": "{name}"}, "'name'"),
        ({"valid_at": None}, "first_arrival = true"),
        ({"valid_at": None, "first_arrival": True, "valid_from": "/f"}, "without 'valid_at'"),
        ({"columns": True, "each": "/r"}, "neither"),
        ({"values": {"/p": "P"}, "name": "/n"}, "'name' must go"),
        ({"values": {"p": "P"}}, "Did you mean '/p'?"),
        ({"zone": "Europe/Pariss"}, "Europe/Paris"),
        ({"zone": "UTC", "time": TimeForm.SECONDS}, "in UTC"),
    ],
)
def test_that_a_format_that_cannot_be_is_refused_with_advice(
    settings: dict[str, Any], part: str
) -> None:
    with pytest.raises(SettingsError) as refused:
        MessageFormat(**{"topic": "farm/{turbine}/{tag}", **settings})
    assert part in str(refused.value)


def test_that_the_plants_topics_are_single_topics() -> None:
    with pytest.raises(SettingsError, match="clock"):
        PlantTopics(clock="farm/+")
    with pytest.raises(SettingsError, match="JSON pointer"):
        PlantTopics(time="t")


def test_that_a_broker_without_an_address_or_a_name_for_us_is_refused() -> None:
    for wrong in ({"host": ""}, {"port": 0}, {"port": 65536}, {"client_id": ""}):
        with pytest.raises(SettingsError):
            Broker(**{"host": "broker", **wrong})  # type: ignore[arg-type]


def test_that_numbers_become_runs() -> None:
    assert ranges([5, 3, 4, 9, 4, 1]) == [[1, 1], [3, 5], [9, 9]]
    assert ranges([]) == []
    assert ranges([2**62]) == [[2**62, 2**62]]
