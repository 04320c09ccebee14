"""Over a real broker: how many readings a second, and how long each takes."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np

from gemeos.clock import SystemClock
from gemeos.errors import StoreHeldError
from gemeos.runtime.run import timeline_of
from gemeos.testing.mosquitto import Mosquitto, program
from gemeos.timeline.base import Timeline
from tools.bench.children import Child
from tools.bench.model import MEMBERS, first_instant
from tools.bench.report import Check, at_least, at_most, failed
from tools.bench.run import Run
from tools.bench.store import bare_commits

TWINS = 1000
A_MESSAGE = 100
"""Readings, where there are many."""
WINDOW = 8000
ASKED = 20
"""Twins that are asked again and again for the latency."""
AHEAD = 500
"""Members of a scenario that runs beside."""
LONGEST_DRAIN_S = 60.0
AGES_SKIPPED_S = 2.0
LOCK_S = 10.0
LONGEST_LEAP = 6.0
"""Times the seconds to be measured, to wait for a count that changes."""
PERCENTILE = 99


@dataclass(frozen=True, slots=True)
class Rate:
    """What went through in a stretch of time."""

    messages_s: float
    messages_a_commit: float
    publisher_busy: float
    """Share of one core."""
    held_by_consumer: float
    """Share of the time in which the publisher was stopped because the consumer was behind."""
    complete: bool = True
    """Everything sent is stored and assimilated."""


def rates(run: Run) -> Sequence[Check]:
    """Both rates, each beside its peer."""
    names = ("mqtt rate", "mqtt rate, 100 readings a message")
    if program() is None:
        return [failed(name, "mosquitto is not installed") for name in names]
    seconds = run.seconds(60.0, 5.0)
    bare = [bare_rate(run, seconds / 3)]
    run.progress.say("one reading a message")
    single = site_rate(run, "singles", seconds, 1)
    run.facts["readings_s"] = single.messages_s
    bare.append(bare_rate(run, seconds / 3))
    run.progress.say(f"{A_MESSAGE} readings a message")
    many = site_rate(run, "batches", seconds, A_MESSAGE)
    peer = float(np.mean([b.messages_s for b in bare]))
    ratio = single.messages_s / peer if single.complete else float("nan")
    fold = many.messages_s * A_MESSAGE / single.messages_s if many.complete else float("nan")
    return [
        at_least(
            names[0],
            ratio,
            0.6,
            "of a bare paho consumer that only decodes",
            run.how(
                f"{single.messages_s:,.0f} messages/s durable, assimilated, queryable "
                f"({TWINS} twins x {MEMBERS} members, {single.messages_a_commit:,.0f} a commit), "
                f"paho alone {bare[0].messages_s:,.0f} before and {bare[1].messages_s:,.0f} after; "
                f"{_limit(single)}"
            ),
        ),
        at_least(
            names[1],
            fold,
            20.0,
            "x the readings/s of one a message",
            run.how(
                f"{many.messages_s * A_MESSAGE:,.0f} readings/s in "
                f"{many.messages_s:,.0f} messages/s; {_limit(many)}"
            ),
        ),
    ]


def _limit(rate: Rate) -> str:
    held = f"publisher {rate.publisher_busy:.0%} of a core, waiting for the consumer "
    held += f"{rate.held_by_consumer:.0%} of the time: "
    limit = "the consumer" if rate.held_by_consumer > 0.1 else "broker or publisher"
    lost = "" if rate.complete else "; NOT everything sent was stored and assimilated"
    return f"{held}the limit was {limit}{lost}"


def bare_rate(run: Run, seconds: float) -> Rate:
    """What paho decodes of the same stream."""
    run.progress.say("a bare paho consumer")
    with broker(run, "bare") as (mosquitto, _):
        consumer = Child("tools.bench.consumer", mosquitto.port, "bench/+/+")
        with consumer:
            consumer.expect("ready")
            with _publisher(mosquitto, "singles", 20_000) as publisher:
                messages_s, _ = _measured(consumer, publisher, seconds, 1)
                return Rate(messages_s, 0.0, *_stopped(publisher)[1:])


def site_rate(run: Run, form: str, seconds: float, a_message: int) -> Rate:
    """What the site makes durable and assimilates, and whether that is all that was sent."""
    ahead = 20_000 if a_message == 1 else 4_000
    with broker(run, form) as (mosquitto, folder):
        store = folder / "bench.duckdb"
        site = Child("tools.bench.site", mosquitto.port, store, "--twins", TWINS)
        with site:
            site.expect("open")
            with _publisher(mosquitto, form, ahead) as publisher:
                messages_s, a_commit = _measured(site, publisher, seconds, a_message)
                sent, busy, held = _stopped(publisher)
                taken = _drained(site, sent * a_message)
        kept = stored(store)
    return Rate(messages_s, a_commit, busy, held, complete=taken == kept == sent * a_message)


@contextmanager
def broker(run: Run, name: str) -> Iterator[tuple[Mosquitto, Path]]:
    """A broker with a folder of its own, for as long as the block lasts."""
    folder = run.folder / f"{name}-{time.monotonic_ns()}"
    folder.mkdir()
    with Mosquitto(folder) as mosquitto:
        yield mosquitto, folder


def _publisher(mosquitto: Mosquitto, form: str, ahead: int, *more: object) -> Child:
    start = first_instant(SystemClock().wall())
    return Child(
        "tools.bench.publisher",
        mosquitto.port,
        form,
        "--twins",
        TWINS,
        "--start",
        start,
        "--window",
        WINDOW,
        "--ahead",
        ahead,
        *more,
    )


def _measured(
    consumer: Child, publisher: Child, seconds: float, a_message: int
) -> tuple[float, float]:
    """Messages a second, and a commit, over ``seconds`` once it runs; the publisher goes on.

    From one change of the count to another: a consumer that takes in much at once counts in leaps.
    """
    warm = time.monotonic() + max(1.0, seconds / 10)
    latest = time.monotonic() + LONGEST_LEAP * seconds
    leaps: list[list[float]] = []
    before = 0.0
    while time.monotonic() < latest:
        told = [float(word) for word in consumer.expect("count")]
        publisher.tell(str(int(told[0]) // a_message))
        if told[0] != before and time.monotonic() > warm:
            leaps.append(told)
        before = told[0]
        if leaps and leaps[-1][1] >= leaps[0][1] + seconds:
            break
    if len(leaps) < 2:
        return float("nan"), float("nan")
    first, last = leaps[0], leaps[-1]
    messages = (last[0] - first[0]) / a_message
    commits = last[2] - first[2] if len(last) > 2 else 0.0
    return messages / (last[1] - first[1]), messages / max(commits, 1.0)


def _stopped(publisher: Child) -> tuple[int, float, float]:
    """How many it sent; its share of a core; the share in which the consumer held it."""
    publisher.tell("stop")
    sent, _, busy, _, consumer, _ = publisher.expect("sent")
    return int(sent), float(busy), float(consumer)


def _drained(site: Child, total: int) -> int:
    """Wait until it has taken in all that was sent, or no more comes."""
    end, taken = time.monotonic() + LONGEST_DRAIN_S, 0
    while taken < total and time.monotonic() < end:
        taken = int(site.expect("count")[0])
    return taken


def opened(store: Path) -> Timeline:
    """The store of a child that was killed: its lock goes with it, but not in the same instant."""
    end = time.monotonic() + LOCK_S
    while True:
        try:
            return timeline_of(store)
        except StoreHeldError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


def stored(store: Path) -> int:
    """How many readings the store has."""
    timeline = opened(store)
    try:
        return len(timeline.range(None, -(2**62), 2**62))
    finally:
        timeline.close()


def latency(run: Run) -> Sequence[Check]:
    """From publishing to an estimate, on a stream at half of the highest rate."""
    names = ("mqtt latency p99", "mqtt latency p99, seconds")
    if program() is None:
        return [failed(name, "mosquitto is not installed") for name in names]
    seconds = run.seconds(40.0, 5.0)
    if "readings_s" not in run.facts:
        run.progress.say("the highest rate")
        run.facts["readings_s"] = site_rate(run, "singles", seconds / 4, 1).messages_s
    rate = run.facts["readings_s"] / 2
    run.progress.say(f"{rate:,.0f} readings/s to a bare client")
    with broker(run, "ages") as (mosquitto, _):
        bare = _ages(
            Child("tools.bench.consumer", mosquitto.port, "bench/+/+", "--ages"),
            "ready",
            mosquitto,
            rate,
            seconds,
        )
    run.progress.say("the same to the site")
    with broker(run, "ages") as (mosquitto, folder):
        store = folder / "bench.duckdb"
        site = Child("tools.bench.site", mosquitto.port, store, "--twins", TWINS, "--asked", ASKED)
        ours = _ages(site, "open", mosquitto, rate, seconds)
        sizes = _committed(store)
        run.progress.say("bare commits of the same batches")
        commits = bare_commits(folder / "bare.duckdb", sizes)
    limit = bare + 2 * commits
    how = run.how(
        f"{ours * 1000:.0f} ms at {rate:,.0f} readings/s ({np.mean(sizes):,.0f} a commit); bare "
        f"client {bare * 1000:.1f} ms, bare DuckDB commit {commits * 1000:.1f} ms (p99 each)"
    )
    return [
        at_most(names[0], ours / limit, 1.0, "x (bare client + 2 bare DuckDB commits)", how),
        at_most(names[1], ours, 0.1, "s", how),
    ]


def what_ifs(run: Run) -> Sequence[Check]:
    """How much later estimates are while hundreds of members run ahead."""
    name = "latency p99 while 500 members run"
    if program() is None:
        return [failed(name, "mosquitto is not installed")]
    seconds = run.seconds(30.0, 4.0)
    if "readings_s" not in run.facts:
        run.progress.say("the highest rate")
        run.facts["readings_s"] = site_rate(run, "singles", seconds / 3, 1).messages_s
    rate = run.facts["readings_s"] / 2
    ran: list[list[float]] = []

    def p99(members: int, *more: str, counting: bool = False) -> float:
        run.progress.say(f"{members} members ahead {' '.join(more)}")
        with broker(run, "ahead") as (mosquitto, folder):
            store = folder / "bench.duckdb"
            words = ("--twins", TWINS, "--asked", ASKED, "--ahead", members, *more)
            site = Child("tools.bench.site", mosquitto.port, store, *words)
            return _ages(site, "open", mosquitto, rate, seconds, ran if counting else None)

    # Before and after as well: the machine may have changed meanwhile.
    before, beside = p99(0), p99(AHEAD, counting=True)
    on_thread, after = p99(AHEAD, "--on-thread"), p99(0)
    alone = (before + after) / 2
    took = float(np.median([t for _, t in ran])) / 1e6 if ran else float("nan")
    how = run.how(
        f"{beside * 1000:.0f} ms, and {before * 1000:.0f} and {after * 1000:.0f} ms "
        f"alone, at {rate:,.0f} readings/s; {len(ran)} scenarios of {AHEAD} members x 6,000 steps "
        f"ran, {took:.1f} s each; run on a thread of the site instead of a process "
        f"{on_thread / alone:.2f} x of itself"
    )
    ratio = beside / alone if ran else float("nan")
    return [at_most(name, ratio, 1.5, "x of itself", how)]


def _ages(
    consumer: Child,
    word: str,
    mosquitto: Mosquitto,
    rate: float,
    seconds: float,
    ran: list[list[float]] | None = None,
) -> float:
    """99th percentile, in seconds, of how old readings are when the consumer has them.

    ``ran`` takes what is told of scenarios.
    """
    ages: list[int] = []
    with consumer:
        consumer.expect(word)
        with _publisher(mosquitto, "stamped", 2**62, "--rate", rate):
            warm = time.monotonic() + AGES_SKIPPED_S
            end = warm + seconds
            while (now := time.monotonic()) < end:
                words = consumer.said().split()
                if words[0] == "ages" and now > warm:
                    ages += map(int, words[1:])
                if words[0] == "ran" and ran is not None:
                    ran.append([float(number) for number in words[1:]])
    return float(np.percentile(ages, PERCENTILE)) / 1e6 if ages else float("nan")


def _committed(store: Path) -> list[int]:
    """How many readings each commit of a store had."""
    with duckdb.connect(str(store), read_only=True) as connection:
        upto = connection.execute("select readings from commits order by number").fetchnumpy()
    return [int(n) for n in np.diff(upto["readings"], prepend=0) if n]
