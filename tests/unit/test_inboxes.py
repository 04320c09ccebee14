"""What waits: for the event loop behind a network thread, and for the store before a caller."""

from __future__ import annotations

import asyncio

import pytest

from gemeos.errors import LinkError, OverloadError
from gemeos.link.http import InboxSource
from gemeos.link.inbox import Bounds, LossyInbox, PatientInbox
from gemeos.link.message import Message
from gemeos.schema.reading import Reading, Readings, Series, SeriesBook


def message(topic: str, number: int, size: int = 0) -> Message:
    return Message(topic, b"x" * size, size, number, ack=number)


def numbers(messages: list[Message]) -> list[int]:
    return [each.received_at for each in messages]


def test_that_a_patient_inbox_is_full_by_count_or_by_bytes_and_hands_out_batches() -> None:
    by_count = PatientInbox(Bounds(messages=3, batch_messages=2))
    for number in range(3):
        assert not by_count.full
        assert by_count.put(message("a", number)) == 0
    filled = by_count.full
    assert numbers(by_count.take()) == [0, 1]
    assert (filled, by_count.full) == (True, False)
    assert numbers(by_count.take()) == [2]
    assert by_count.take() == []

    by_size = PatientInbox(Bounds(payload=5000, batch_payload=3000))
    fill = []
    for number in range(2):
        by_size.put(message("a", number, 2600))
        fill.append(by_size.full)
    assert fill == [False, True]
    by_size.put(message("a", 2, 9000))
    assert [numbers(by_size.take()) for _ in range(3)] == [[0, 1], [2], []]
    assert not by_size.full


def test_that_a_lossy_inbox_drops_the_oldest_of_the_topic_and_keeps_order() -> None:
    inbox = LossyInbox(Bounds(messages=4))
    sent = [("a", 1), ("b", 2), ("a", 3), ("a", 4), ("a", 5), ("b", 6)]
    gone = [inbox.put(message(topic, number)) for topic, number in sent]
    assert gone == [0, 0, 0, 0, 1, 2]  # each drops its own oldest
    assert numbers(inbox.take()) == [3, 4, 5, 6]
    assert inbox.dropped == {"a": 1, "b": 1}
    assert len(inbox) == 0


def test_that_the_newest_of_each_topic_stays_while_another_has_several() -> None:
    inbox = LossyInbox(Bounds(messages=4))
    for topic, number in [("a", 1), ("b", 2), ("b", 3), ("c", 4), ("d", 5), ("e", 6)]:
        inbox.put(message(topic, number))
    # "d" makes the older "b" go; then every topic has one, and the oldest goes.
    assert numbers(inbox.take()) == [3, 4, 5, 6]
    assert inbox.dropped == {"b": 1, "a": 1}


def readings(*values: float) -> Readings:
    series = Series("posted", "v")
    return Readings.of([Reading(series, n, v) for n, v in enumerate(values)], SeriesBook())


async def test_that_whoever_puts_waits_until_it_is_durable() -> None:
    async with InboxSource("posted") as source:
        puts = [asyncio.ensure_future(source.put(readings(value))) for value in (1.0, 2.0)]
        arrival = await anext(source.arrivals())
        assert arrival.readings.value.tolist() == [1.0, 2.0]
        done, _ = await asyncio.wait(puts, timeout=0.05)
        assert not done
        assert source.waiting == 2
        await source.acknowledge(arrival)
        await asyncio.wait_for(asyncio.wait(puts), 5)
        assert source.waiting == 0


async def test_that_more_than_may_wait_is_refused_at_once_until_some_is_durable() -> None:
    async with InboxSource("posted", most=3) as source:
        put = asyncio.ensure_future(source.put(readings(1.0, 2.0)))
        await asyncio.sleep(0)
        with pytest.raises(OverloadError, match="2 readings wait") as refused:
            await source.put(readings(3.0, 4.0))
        assert (refused.value.waiting, refused.value.most) == (2, 3)
        arrival = await anext(source.arrivals())
        # Handed out is not durable: it waits still.
        with pytest.raises(OverloadError):
            await source.put(readings(3.0, 4.0))
        await source.acknowledge(arrival)
        await put
        # One that is larger than the bound goes alone rather than never.
        large = asyncio.ensure_future(source.put(readings(*range(10))))
        assert len((await anext(source.arrivals())).readings) == 10
        large.cancel()


async def test_that_what_was_handed_in_is_stored_although_its_caller_gave_up() -> None:
    async with InboxSource("posted") as source:
        put = asyncio.ensure_future(source.put(readings(1.0), plant_time=7))
        await asyncio.sleep(0)
        put.cancel()
        await asyncio.wait([put])
        arrival = await anext(source.arrivals())
        assert arrival.readings.value.tolist() == [1.0]
        assert arrival.plant_time == 7
        await source.acknowledge(arrival)
        assert source.waiting == 0


async def test_that_whoever_waits_when_the_link_closes_is_told_to_send_again() -> None:
    async with InboxSource("posted") as source:
        put = asyncio.ensure_future(source.put(readings(1.0)))
        await anext(source.arrivals())
    with pytest.raises(LinkError, match="Send them again"):
        await put
    with pytest.raises(LinkError, match="closed"):
        await source.put(readings(2.0))
