"""A site under load, killed again and again: what is lost, what counts twice, how soon it lives."""

from __future__ import annotations

import compileall
import random
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import gemeos
from gemeos.clock import SystemClock
from gemeos.runtime.host import Host
from gemeos.runtime.lane import fleets_of
from gemeos.schema.reading import Reading, Readings, Series, SeriesBook
from gemeos.testing.mosquitto import program
from tools.bench.children import Child
from tools.bench.model import LINK, first_instant
from tools.bench.mqtt import broker, opened, stored
from tools.bench.publisher import reading
from tools.bench.report import Check, at_most, failed
from tools.bench.run import Run
from tools.bench.site import declared

TWINS = 20
RATE = 400.0
"""Readings a second: ten instants of every twin."""
HORIZON = "20 s"
KEYFRAMES = "10 s"
LONGEST_UP_S = 1.5
QUIET_S = 5.0
TRIES = 3
LONGEST_REPLAY_S = 300.0
NAMES = (
    "kill -9: acknowledged readings lost",
    "kill -9: readings counted twice",
    "kill -9: twins in another state than without",
    "kill -9: live again beside replay, seconds",
)


def killed(run: Run) -> Sequence[Check]:
    """Kill it at random moments while a publisher goes on; then compare with a calm run."""
    if program() is None:
        return [failed(name, "mosquitto is not installed") for name in NAMES]
    # As an installer leaves it. A tree of sources may be told to keep no bytecode, and would then
    # be compiled at every start.
    compileall.compile_dir(Path(gemeos.__file__).parent, quiet=1)
    kills = run.count(50, 5)
    start = first_instant(SystemClock().wall())
    dice = random.Random(11)  # noqa: S311 -- when to kill, no secret
    alive, replayed, worked = [], [], []
    with broker(run, "killed") as (mosquitto, folder):
        store = folder / "bench.duckdb"
        arguments = (mosquitto.port, store, "--twins", TWINS, "--horizon", HORIZON)
        command = ("tools.bench.site", *arguments, "--keyframes", KEYFRAMES)
        more = ("singles", "--twins", TWINS, "--start", start, "--rate", RATE)
        with Child(*command) as site:
            site.expect("open")  # from now on the broker keeps for it what it does not hear
        publisher = Child("tools.bench.publisher", mosquitto.port, *more)
        with publisher:
            for n in range(kills):
                with Child(*command) as site:
                    replay = float(site.expect("resumed", LONGEST_REPLAY_S)[0])
                    opened, cpu = map(float, site.expect("open"))
                    alive.append(opened - site.began - replay)
                    worked.append(cpu)
                    replayed.append(replay)
                    time.sleep(dice.random() * LONGEST_UP_S)
                run.progress.say(f"killed {n + 1} of {kills} times")
            publisher.tell("stop")
            sent = int(publisher.expect("sent")[0])
        for _ in range(TRIES):
            # What was not acknowledged the broker sends again; what was and is lost, it does not.
            with Child(*command) as site:
                site.expect("open", LONGEST_REPLAY_S)
                _settled(site)
            if stored(store) >= sent:
                break
        run.progress.say("a calm run, to compare with")
        lost, twice, other = _compared(store, start, sent)
    how = run.how(
        f"{sent:,} readings of {TWINS} twins at {RATE:.0f}/s over MQTT QoS 1, killed {kills} times "
        f"at random moments; keyframe every {KEYFRAMES}, horizon {HORIZON}"
    )
    whole = np.add(alive, replayed)
    back = (
        f"{how}; longest of {kills} (median {np.median(alive):.2f} s), start of the process (its "
        "bytecode kept, as an installer leaves it) until it follows the broker, less the time in "
        "which it went back to keyframes and through the readings behind them: median "
        f"{np.median(replayed):.2f} s, longest {max(replayed):.2f} s; "
        f"with that median {np.median(whole):.2f} s, longest {whole.max():.2f} s; of the processor "
        f"it used median {np.median(worked):.2f} s, most {max(worked):.2f} s"
    )
    return [
        at_most(NAMES[0], lost, 0, "", how),
        at_most(NAMES[1], twice, 0, "", how),
        at_most(NAMES[2], other, 0, f"of {TWINS}", how),
        at_most(NAMES[3], max(alive), 2.0, "s", back),
    ]


def _settled(site: Child) -> None:
    """Wait until nothing more comes in."""
    count, since = -1, time.monotonic()
    end = since + 120.0
    while time.monotonic() < min(since + QUIET_S, end):
        now = int(site.expect("count")[0])
        if now != count:
            count, since = now, time.monotonic()


def _compared(store: Path, start: int, sent: int) -> tuple[int, int, int]:
    """Readings lost, readings counted twice, twins whose state differs from a calm run's."""
    site = declared(1, None, TWINS, horizon=HORIZON, keyframes=KEYFRAMES)
    log = [reading(n, TWINS, start) for n in range(sent)]
    timeline = opened(store)
    try:
        kept = timeline.range(None, -(2**62), 2**62)
        book = timeline.book
        found = Counter(
            (book.series(int(s)).channel, int(at), float(value))
            for s, at, value in zip(kept.series, kept.valid_at, kept.value, strict=True)
        )
        expected = Counter((f"{twin}/{sensor}", at, value) for twin, sensor, at, value in log)
        disturbed = Host(site, timeline)
        disturbed.resume()
        (calm,) = fleets_of(site.twins)
        own = SeriesBook()
        rows = [Reading(Series(LINK, f"{t}/{s}"), at, value) for t, s, at, value in log]
        calm.take(Readings.of(rows, own), own)
        of_twin = Counter(str(twin) for twin, _, _, _ in log)
        twice = sum((found - expected).values())
        other = 0
        for name in site.twin_names:
            state = disturbed.snapshot(name)
            twice += max(int(state.assimilated[0]) - of_twin[name], 0)
            other += state.digest() != calm.state(name).digest()
        return sum((expected - found).values()), twice, other
    finally:
        timeline.close()
