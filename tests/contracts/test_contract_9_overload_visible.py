"""Contract 9: overload is visible. Nothing grows without a bound, and nothing is lost in silence.

Commits are made to wait by keeping the path's one thread busy, as a slow disk would.
"""

from __future__ import annotations

import ast
import asyncio
import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx
import msgspec
import pytest
from paho.mqtt import publish

import gemeos
from gemeos.errors import BusyError, OverloadError
from gemeos.link.base import Source
from gemeos.link.decode import Decoder
from gemeos.link.format import MessageFormat
from gemeos.link.http import InboxSource
from gemeos.link.inbox import Bounds
from gemeos.link.message import Limits as MessageLimits
from gemeos.link.mqtt import Broker, MqttSource
from gemeos.runtime.host import Host
from gemeos.runtime.site import LinkContext, Replay, Site
from gemeos.runtime.twin import Twin
from gemeos.serve import messages as m
from gemeos.serve.app import OPERATIONS
from gemeos.serve.client import connect
from gemeos.serve.limits import Limits
from gemeos.testing.contracts.twin import WALK
from gemeos.testing.mosquitto import Mosquitto, program
from gemeos.testing.served import Serving, served
from gemeos.testing.tanks import ago, tank_site, tanks
from gemeos.units import instant, iso
from gemeos.units.instant import SECOND

PATIENCE_S = 20.0
_T = TypeVar("_T")
START = instant("2026-07-01T00:00Z")
INBOX = "/api/links/inbox/readings"
CLIENT = {"trust_env": False, "timeout": PATIENCE_S}


def eventually(asked: Callable[[], object], expected: object) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while asked() != expected and time.monotonic() < deadline:
        time.sleep(0.02)
    assert asked() == expected


def again(ask: Callable[[], _T], enough: Callable[[_T], bool]) -> _T:
    """The first answer that is enough."""
    deadline = time.monotonic() + PATIENCE_S
    while not enough(told := ask()):
        assert time.monotonic() < deadline, "it did not come to that"
    return told


def settled(asked: Callable[[], int]) -> int:
    """The number, once it does not change any more."""
    before = -1
    while (now := asked()) != before:
        before = now
        time.sleep(0.3)
    return now


@contextmanager
def commits_wait(host: Host, loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """For as long as the block lasts nothing is committed."""
    begun, over = threading.Event(), threading.Event()

    def busy() -> None:
        begun.set()
        over.wait(PATIENCE_S)

    held = asyncio.run_coroutine_threadsafe(host.compute.on_path(busy), loop)
    try:
        assert begun.wait(PATIENCE_S)
        yield
    finally:
        over.set()
        held.result(PATIENCE_S)


# A source that is acknowledged


@dataclass(frozen=True)
class NarrowMqtt:
    """A link to a broker whose inbox is small."""

    port: int
    bounds: Bounds
    lossy: bool = False
    name: str = "scada"

    def open(self, context: LinkContext) -> Source:
        decoder = Decoder(
            [MessageFormat("farm/{tag}")],
            context.channels(self.name),
            context.clock,
            limits=MessageLimits(payload=1 << 20),
        )
        broker = Broker("127.0.0.1", self.port)
        return MqttSource(broker, decoder, context.clock, bounds=self.bounds, lossy=self.lossy)


@contextmanager
def fed_by(link: NarrowMqtt) -> Iterator[Serving]:
    twin = Twin("mill", WALK, members=8).bind("scada:P", to="y0")
    with served(Site("works", twins=(twin,), links=(link,))) as serving:
        eventually(lambda: serving.host.link("scada") is not None, True)
        yield serving


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    if program() is None:
        if os.environ.get("CI") == "true":
            pytest.fail("mosquitto is not installed, and CI must have it")
        pytest.skip("mosquitto is not installed")
    with Mosquitto(tmp_path) as running:
        yield running


def send(broker: Mosquitto, count: int, *, padding: int = 0) -> None:
    """Readings of one channel, a second apart; returns once the broker has them all."""
    messages: list[publish.MessageDict | publish.MessageTuple] = [
        {
            "topic": "farm/P",
            "payload": json.dumps(
                {"valid_at": iso(START + n * SECOND), "value": 1 + n % 3, "x": "x" * padding}
            ),
            "qos": 1,
        }
        for n in range(count)
    ]
    publish.multiple(messages, hostname="127.0.0.1", port=broker.port)


def inbox(serving: Serving) -> MqttSource:
    source = serving.host.link("scada")
    assert isinstance(source, MqttSource)
    return source


@pytest.mark.parametrize(
    ("bounds", "count", "padding", "most"),
    [
        (Bounds(messages=100, batch_messages=50), 300, 0, 100),
        # A megabyte holds five of 200 kB; the sixth is what makes it full.
        (Bounds(payload=1_000_000, batch_payload=1), 40, 200_000, 6),
    ],
    ids=["by count", "by bytes"],
)
def test_that_the_socket_is_not_read_while_commits_wait_and_nothing_is_lost(
    broker: Mosquitto, bounds: Bounds, count: int, padding: int, most: int
) -> None:
    with fed_by(NarrowMqtt(broker.port, bounds)) as serving:
        with commits_wait(serving.host, serving.loop):
            send(broker, count, padding=padding)
            eventually(lambda: inbox(serving).waiting >= most - 1, True)
            time.sleep(0.3)
            held = inbox(serving).waiting
            assert held <= most
            assert serving.host.counted["readings"] == 0
            # Whoever looks at the site sees it.
            with httpx.Client(base_url=serving.url, trust_env=False) as client:
                [link] = client.get("/api/site").json()["links"]
                assert (link["waiting"], link["dropped"]) == (held, 0)
                assert (
                    f'gemeos_link_waiting{{link="scada"}} {held}.0' in client.get("/metrics").text
                )
        eventually(lambda: serving.host.questions.trust("mill").assimilated, count)
        eventually(lambda: inbox(serving).waiting, 0)
        assert serving.host.counted["duplicates"] == 0


def test_that_a_lossy_source_drops_the_oldest_and_says_how_many(broker: Mosquitto) -> None:
    with fed_by(NarrowMqtt(broker.port, Bounds(messages=100), lossy=True)) as serving:
        with commits_wait(serving.host, serving.loop):
            send(broker, 1000)
            eventually(lambda: inbox(serving).waiting, 100)
            dropped = settled(lambda: sum(inbox(serving).dropped.values()))
            # What is not dropped waits, or is in the one arrival that waits for its commit.
            assert 700 < dropped <= 900
        eventually(lambda: serving.host.counted["readings"], 1000 - dropped)
        with httpx.Client(base_url=serving.url, trust_env=False) as client:
            [link] = client.get("/api/site").json()["links"]
            assert link["dropped"] == dropped
            told = client.get("/metrics").text
            assert f'gemeos_link_dropped_total{{link="scada"}} {dropped}.0' in told
        newest = serving.host.questions.trust("mill").newest
        assert newest == START + 999 * SECOND


# Readings over HTTP


@dataclass(frozen=True)
class NarrowInbox:
    """A link that is posted to, with room for little."""

    name: str
    most: int

    def open(self, context: LinkContext) -> Source:  # noqa: ARG002
        return InboxSource(self.name, most=self.most)


@contextmanager
def narrow(most: int) -> Iterator[tuple[Serving, httpx.Client]]:
    wide = tank_site()
    links = (NarrowInbox("inbox", most), NarrowInbox("other", most))
    site = Site("tanks", twins=wide.twins, links=links, zone=wide.zone)
    with served(site) as serving, httpx.Client(base_url=serving.url, **CLIENT) as client:  # type: ignore[arg-type]
        eventually(lambda: None in map(serving.host.link, ("inbox", "other")), False)
        yield serving, client


def readings(seconds: Sequence[int], *, channel: str = "n/upper") -> list[dict[str, Any]]:
    return [
        {"channel": channel, "valid_at": iso(START + s * SECOND), "value": 2.0} for s in seconds
    ]


def stored(client: httpx.Client) -> list[str]:
    stretch = {"since": iso(START - SECOND), "until": iso(START + 3600 * SECOND)}
    times = client.get("/api/twins/north/readings", params=stretch).json()["valid_at"]
    return sorted(iso(instant(time)) for time in times)


def test_that_a_full_inbox_answers_429_and_takes_nothing_by_half() -> None:
    with narrow(10) as (serving, client), ThreadPoolExecutor(4) as posting:

        def post(rows: list[dict[str, Any]]) -> Future[httpx.Response]:
            return posting.submit(httpx.post, f"{serving.url}{INBOX}", json=rows, **CLIENT)  # type: ignore[arg-type]

        def waiting() -> int:
            return int(client.get("/api/site").json()["links"][0]["waiting"])

        assert post(readings([0])).result().status_code == 200
        with commits_wait(serving.host, serving.loop):
            first = post(readings(range(1, 7)))
            eventually(waiting, 6)
            second = post(readings(range(7, 11)))
            eventually(waiting, 10)
            # One that could be used and one that could not: neither is taken.
            many = [*readings([11]), *readings([12], channel="nobody")]
            for rows in (many, readings(range(100, 111))):
                refused = post(rows).result()
                assert refused.status_code == 429
                assert refused.headers["retry-after"] == "1"
                assert refused.json()["error"] == "OverloadError"
                assert "10" in refused.json()["message"]
            with connect(serving.url) as site, pytest.raises(OverloadError):
                site.send("inbox", readings([11]))
            assert not first.done()
            assert not second.done()
        assert [first.result().json()["committed"], second.result().json()["committed"]] == [6, 4]
        assert stored(client) == [iso(START + s * SECOND) for s in range(11)]
        assert client.get("/api/quarantine").json()["count"] == 0
        # Sent again, as it was told to, it is taken.
        assert post(many).result().json()["committed"] == 1
        assert client.get("/api/quarantine").json()["count"] == 1


def test_that_more_posts_than_may_be_under_way_are_told_to_come_again() -> None:
    with tanks(limits=Limits(posts=1)) as (serving, client), ThreadPoolExecutor(1) as posting:
        assert client.post(INBOX, json=readings([0])).status_code == 200
        with commits_wait(serving.host, serving.loop):
            first = posting.submit(
                httpx.post,
                f"{serving.url}{INBOX}",
                json=readings([1]),
                **CLIENT,  # type: ignore[arg-type]
            )
            eventually(lambda: client.get("/api/site").json()["links"][0]["waiting"], 1)
            second = client.post(INBOX, json=readings([2]))
            assert (second.status_code, second.headers["retry-after"]) == (429, "1")
        assert first.result().status_code == 200
        assert stored(client) == [iso(START), iso(START + SECOND)]


# Questions and streams


def test_that_too_many_questions_are_told_to_come_again() -> None:
    with tanks(limits=Limits(questions=1)) as (serving, client):
        client.post(INBOX, json=[{**readings([0])[0], "valid_at": ago(serving, 2)}])
        eventually(lambda: client.get("/api/twins/north/now").status_code, 200)
        answers: list[httpx.Response] = []
        asked = {"until": "8000s", "every": "1000s"}
        path = "/api/twins/north/forecast"

        enough = threading.Event()

        def ask() -> None:
            # Again and again: one answer may be there before anybody else has asked.
            while not enough.is_set():
                answers.append(client.get(path, params=asked))

        slow = threading.Thread(target=ask)
        slow.start()
        try:
            refused = again(lambda: client.get("/api/site"), lambda told: told.status_code != 200)
            assert refused.status_code == 429
            assert refused.headers["retry-after"] == "1"
            told = refused.json()["message"]
            assert told.startswith("1 questions are under way, and at most 1 may")
            with connect(serving.url) as connection, pytest.raises(BusyError) as caught:
                again(connection.site, lambda _: False)
            assert caught.value.most == 1
        finally:
            enough.set()
            slow.join()
        # Whoever had the place was answered.
        assert 200 in {answer.status_code for answer in answers}


def test_that_too_many_streams_are_told_to_come_again() -> None:
    with (
        tanks(limits=Limits(streams=1)) as (_, client),
        client.stream("GET", "/api/stream") as first,
    ):
        assert first.status_code == 200
        lines = first.iter_lines()
        assert next(lines) == "retry: 3000"
        assert client.get("/api/stream").status_code == 429


def events_in(text: str) -> list[dict[str, Any]]:
    lines = [line for line in text.splitlines() if line.startswith("data: {")]
    return [json.loads(line.removeprefix("data: ")) for line in lines if line.endswith("}")]


def test_that_a_slow_subscriber_misses_changes_but_not_the_last_and_holds_nobody_up() -> None:
    changes = 60
    # So long a label that the system's buffers hold only some of the events.
    clock = Replay(START, 1.0, "recorded " + "x" * 200_000)
    wide = tank_site()
    site = Site("tanks", twins=wide.twins, links=wide.links, zone="UTC", clock=clock)
    with (
        served(site, limits=Limits(stream_hz=200.0)) as serving,
        httpx.Client(base_url=serving.url, **CLIENT) as client,  # type: ignore[arg-type]
        socket.socket() as slow,
    ):
        eventually(lambda: serving.host.link("inbox") is not None, True)
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.settimeout(PATIENCE_S)
        host, port = serving.url.removeprefix("http://").split(":")
        slow.connect((host, int(port)))
        slow.sendall(
            f"GET /api/stream?twins=north HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode()
        )
        assert slow.recv(1) == b"H"
        last = iso(START + (changes - 1) * SECOND).replace("Z", "+00:00")
        quick: list[str] = []

        def follow() -> None:
            with connect(serving.url) as connection:
                for change in connection.changes("north"):
                    quick.append("" if change.newest is None else iso(change.newest))
                    if change.newest == START + (changes - 1) * SECOND:
                        return

        follower = threading.Thread(target=follow)
        follower.start()
        eventually(lambda: len(quick), 1)
        for second in range(changes):
            # Each is answered although the slow one does not read.
            assert client.post(INBOX, json=readings([second])).status_code == 200
            eventually(lambda: serving.host.questions.trust("north").assimilated, second + 1)
            time.sleep(0.01)
        follower.join(PATIENCE_S)
        assert not follower.is_alive()
        heard = b""
        while last.encode() not in heard[-400_000:] or not heard.endswith(b"\n\n\r\n"):
            heard += slow.recv(1 << 20)
        told = events_in(heard.decode())
        times = [event["staleness"]["data_until"] for event in told]
        assert times[-1] == last
        assert times[1:] == sorted(times[1:])
        # Without coalescing there is one at the beginning, and one for each change.
        assert len(times) < 1 + changes


# Staleness, and bounds


def test_that_every_answer_says_how_old_it_is() -> None:
    lacking = set()
    for operation in OPERATIONS:
        if not (isinstance(operation.sends, type) and issubclass(operation.sends, m.Message)):
            continue
        fields = {field.name: field for field in msgspec.structs.fields(operation.sends)}
        of_each = fields.keys() == {"total", "twins"} and operation.sends is m.TwinsMessage
        if not (fields.keys() & {"staleness", "now"} or of_each):
            lacking.add(operation.sends.__name__)
    # What became of what was just sent, and whether the process answers, rest on no data.
    assert lacking == {"TakenMessage", "Health"}
    for kind in (m.SummaryMessage, m.TwinMessage):
        assert "staleness" in {field.name for field in msgspec.structs.fields(kind)}


def test_that_a_silent_twin_grows_older_in_every_answer() -> None:
    with tanks() as (serving, client):
        client.post(INBOX, json=[{**readings([0])[0], "valid_at": ago(serving, 100)}])
        eventually(lambda: client.get("/api/twins/north/now").status_code, 200)

        def ages() -> list[float]:
            paths = ("", "/now", "/forecast?until=10s", "/trust", "/parts")
            told = [client.get(f"/api/twins/north{path}").json() for path in paths]
            return [answer["staleness"]["age_s"] for answer in told]

        before = ages()
        assert all(100 <= age < 110 for age in before)
        time.sleep(0.2)
        assert all(later - age >= 0.2 for age, later in zip(before, ages(), strict=True))


UNBOUNDED = {
    "engines/simulator.py": "batches of one call, which waits for them; processes, which are few",
    "link/http.py": "InboxSource.put refuses what is over its bound",
    "link/inbox.py": "PatientInbox says when it is full, LossyInbox drops",
    "link/_network.py": "acknowledgements of an arrival, and each arrival waits for its own",
    "runtime/turns.py": "threads that wait, of which there are as many as the background has",
    "runtime/beside.py": "commits up to MOST_HELD readings, portions of one of them or of AT_ONCE",
    "runtime/lookback.py": "instants that are asked for, and those of readings held on the way",
    "twins/traffic/signals/eyes.py": "no queue of a program, but of vehicles at a light",
    "timeline/duck_database.py": "connections, of which there are as many as threads",
}
"""Files with a queue whose bound is not in its constructor, and what bounds it."""
QUEUES = {"Queue": 0, "LifoQueue": 0, "PriorityQueue": 0, "deque": 1, "SimpleQueue": 9}
"""Classes, and which of their arguments is the bound."""


def queues_without_a_bound(source: str) -> list[int]:
    """Lines in which a queue is made that takes any number."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            named = {"maxsize", "maxlen"} & {str(word.arg) for word in node.keywords}
            if name in QUEUES and not named and len(node.args) <= QUEUES[name]:
                found.append(node.lineno)
    return found


def test_that_every_queue_has_a_bound_or_a_reason() -> None:
    root = Path(gemeos.__file__).parent
    found = {
        str(path.relative_to(root))
        for path in root.rglob("*.py")
        if queues_without_a_bound(path.read_text(encoding="utf-8"))
    }
    assert found == set(UNBOUNDED)
    assert queues_without_a_bound(
        "a = deque([1])\nb = Queue()\nc = deque([], 3)\nd = Queue(1)"
    ) == [
        1,
        2,
    ]
