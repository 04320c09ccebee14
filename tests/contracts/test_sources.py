"""Every source keeps the port's promises."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import pytest
from paho.mqtt import publish
from typing_extensions import override

from gemeos.clock import SystemClock
from gemeos.errors import LinkError, OverloadError
from gemeos.link.base import Source
from gemeos.link.channels import Channels
from gemeos.link.decode import Decoder
from gemeos.link.format import MessageFormat, PlantTopics
from gemeos.link.http import InboxSource
from gemeos.link.inbox import Bounds
from gemeos.link.mqtt import Broker, MqttSource, MqttVersion
from gemeos.link.replay import FileSource, FileTable
from gemeos.schema.binding import Binding
from gemeos.schema.reading import Reading, Readings, Series, SeriesBook
from gemeos.testing.contracts.source import SourceContract, SourceRig, at
from gemeos.testing.mosquitto import Mosquitto, program
from gemeos.units import iso

MOST = 20


def channels(link: str) -> tuple[Channels, SeriesBook]:
    book = SeriesBook()
    binding = Binding(Series(link, "c/v"), "twin", "v")
    return Channels(link, [binding], {("twin", "v"): "m"}, book), book


class MqttRig(SourceRig):
    most = MOST

    def __init__(self, port: int, version: MqttVersion) -> None:
        self._broker = Broker("127.0.0.1", port, client_id="rig", version=version)
        self._sent = 0

    def _source(self, broker: Broker) -> Source:
        decoder = Decoder(
            [MessageFormat("rig/{part}/{tag}")],
            channels("rig")[0],
            SystemClock(),
            plant=PlantTopics(end="rig-end"),
        )
        bounds = Bounds(messages=2 * MOST, batch_messages=MOST)
        return MqttSource(broker, decoder, SystemClock(), bounds=bounds)

    @override
    async def send(self, values: Sequence[float]) -> None:
        async with self._source(self._broker):
            pass  # from now on the broker keeps what comes for this client
        numbered = enumerate(values, start=self._sent)
        self._sent += len(values)
        messages: list[publish.MessageDict | publish.MessageTuple] = [
            {
                "topic": "rig/c/v",
                "payload": f'{{"value": {value}, "valid_at": "{iso(at(number))}"}}',
                "qos": 1,
            }
            for number, value in numbered
        ]
        messages.append({"topic": "rig-end", "payload": "", "qos": 1})
        publish.multiple(messages, hostname="127.0.0.1", port=self._broker.port)

    @override
    def opened(self) -> Source:
        return self._source(self._broker)

    @override
    def broken(self) -> Source:
        return self._source(Broker("127.0.0.1", 1))


@pytest.mark.skipif(
    program() is None and os.environ.get("CI") != "true", reason="mosquitto is not installed"
)
class TestMqttSource(SourceContract):
    @pytest.fixture(params=list(MqttVersion), ids=lambda version: f"mqtt-{version.value}")
    def rig(self, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SourceRig]:
        with Mosquitto(tmp_path) as broker:
            yield MqttRig(broker.port, request.param)


class FileRig(SourceRig):
    most = MOST

    def __init__(self, path: Path, *, wide: bool) -> None:
        self._path = path
        self._wide = wide
        self._sent = 0
        self._source: FileSource | None = None
        path.write_text("when,part,v\n" if wide else "when,channel,value\n")

    def _of(self, path: Path) -> FileSource:
        table = (
            FileTable(str(path), time="when", channel="{part}/{tag}")
            if self._wide
            else FileTable(str(path), time="when", channel="{channel}", value="value")
        )
        since = self._source.position if self._source is not None else None
        return FileSource(table, channels("rig")[0], SystemClock(), since=since, batch=MOST)

    @override
    async def send(self, values: Sequence[float]) -> None:
        name = "c" if self._wide else "c/v"
        with self._path.open("a") as file:
            for number, value in enumerate(values, start=self._sent):
                file.write(f"{iso(at(number))},{name},{value}\n")
        self._sent += len(values)

    @override
    def opened(self) -> Source:
        self._source = self._of(self._path)
        return self._source

    @override
    def broken(self) -> Source:
        return self._of(self._path.with_name("missing.csv"))


class TestFileSource(SourceContract):
    @pytest.fixture(params=[True, False], ids=["wide", "long"])
    def rig(self, request: pytest.FixtureRequest, tmp_path: Path) -> SourceRig:
        return FileRig(tmp_path / "record.csv", wide=request.param)


class InboxRig(SourceRig):
    """Its far end is a client that posts again whatever was not confirmed."""

    most = MOST

    def __init__(self) -> None:
        self._unconfirmed: list[Reading] = []
        self._sent = 0
        self._posting: asyncio.Task[None] | None = None

    @override
    async def send(self, values: Sequence[float]) -> None:
        for number, value in enumerate(values, start=self._sent):
            self._unconfirmed.append(Reading(Series("rig", "c/v"), at(number), value))
        self._sent += len(values)

    @override
    def opened(self) -> Source:
        source = InboxSource("rig", most=MOST)
        self._posting = asyncio.create_task(self._post_to(source))
        return source

    async def _post_to(self, source: InboxSource) -> None:
        _, book = channels("rig")
        await asyncio.sleep(0)  # the source is entered first
        try:
            async with asyncio.TaskGroup() as posts:
                for reading in list(self._unconfirmed):
                    posts.create_task(self._post(source, reading, book))
            source.finish()
        except* LinkError:
            pass  # the source was left: this client tries the next one

    async def _post(self, source: InboxSource, reading: Reading, book: SeriesBook) -> None:
        while True:
            try:
                await source.put(Readings.of([reading], book))
            except OverloadError:
                await asyncio.sleep(0.001)
            else:
                self._unconfirmed.remove(reading)
                return

    async def close(self) -> None:
        if self._posting is not None:
            self._posting.cancel()
            await asyncio.wait([self._posting])

    @override
    def broken(self) -> None:
        return None


class TestInboxSource(SourceContract):
    @pytest.fixture
    async def rig(self) -> AsyncIterator[SourceRig]:
        rig = InboxRig()
        yield rig
        await rig.close()
