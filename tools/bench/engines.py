"""What it costs to have an engine in a process of its own: one call, one fork, many forks."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import TypeVar

import msgspec
import numpy as np

from gemeos.engines.hosted import HostedEngine
from gemeos.engines.outcome import Outcome, Told
from gemeos.engines.spec import Capabilities, Fork, Role, Spec, Value, Values, Variable
from gemeos.engines.sumo import Sumo, opened
from gemeos.units.instant import SECOND
from tools.bench.report import Check, at_most, failed
from tools.bench.run import Run

T = TypeVar("T")
FRAME = 32
"""Bytes of the bare round trip: about as many as a question for one number has."""
WARM = 900 * SECOND
AHEAD = 300 * SECOND
ROUTES = """<routes>
  <vType id="car" sigma="0.5"/>
  <flow id="a" type="car" from="A2B2" to="D2E2" begin="0" end="3600" probability="0.3"/>
  <flow id="b" type="car" from="C0C1" to="C3C4" begin="0" end="3600" probability="0.3"/>
  <flow id="c" type="car" from="E1D1" to="B1A1" begin="0" end="3600" probability="0.3"/>
</routes>"""


class Still(msgspec.Struct, frozen=True):
    """No settings."""


class StillInside:
    """Does nothing: what is left is the way there and back."""

    def __init__(self, _settings: bytes) -> None:
        return

    def describe(self) -> Spec:
        """One number."""
        capabilities = Capabilities(fork=Fork.PROCESS)
        return Spec("still", "1", SECOND, (Variable("x", Role.STATE),), capabilities)

    def begin(self, _params: Values, _seed: int) -> None:
        """Nothing."""

    def get(self, names: Sequence[str]) -> list[Value]:
        """Zeros."""
        return [0.0] * len(names)

    def end(self) -> None:
        """Nothing."""


def engines(run: Run) -> Sequence[Check]:
    """A call beside a bare socket; forks of a SUMO beside snapshots, and beside one run alone."""
    checks = [_call(run)]
    if find_spec("libsumo") is None:
        return [*checks, failed("engine fork", "libsumo of the extra gemeos[sumo] is missing")]
    with opened(_city(run.folder)) as engine:
        _told(engine.reset({}, 1, 0))
        _told(engine.advance(WARM))
        return [*checks, *_forks(run, engine)]


def _call(run: Run) -> Check:
    calls = run.count(20_000, 1_000)
    factory = f"{__name__}:StillInside"
    with HostedEngine.opened("still", factory, Still(), 10 * SECOND, fork=True) as engine:
        _told(engine.reset({}, 1, 0))
        ours = _median(calls, lambda: engine.get(["x"]))
    bare = _bare(calls)
    how = run.how(
        f"{1e6 * ours:.0f} us for one number, {1e6 * bare:.0f} us for {FRAME} bytes to a process "
        f"that sends them back (medians of {calls})"
    )
    return at_most("engine call", ours / bare, 8, "x a bare round trip over a socket", how)


def _bare(calls: int) -> float:
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        ours.close()
        while chunk := theirs.recv(FRAME):
            theirs.sendall(chunk)
        os._exit(0)
    theirs.close()

    def round_trip() -> None:
        ours.sendall(bytes(FRAME))
        ours.recv(FRAME)

    median = _median(calls, round_trip)
    ours.close()
    os.waitpid(pid, 0)
    return median


def _forks(run: Run, engine: HostedEngine) -> list[Check]:
    rounds, many = run.count(20, 3), run.count(40, 4)
    asking = threading.Lock()

    def fork() -> HostedEngine:
        with asking:  # one thread at a time for one engine
            return _told(engine.fork())

    def ahead() -> float:
        with fork() as other:
            _told(other.advance(WARM + AHEAD))
            (delay,) = _told(other.get(["trips.delay"])).values()
        return float(delay)

    def kept() -> None:
        with engine.another() as other:
            _told(other.restore(_told(engine.snapshot())))

    by_fork, by_file = _median(rounds, lambda: fork().close()), _median(rounds, kept)
    alone = _median(min(rounds, 5), ahead)
    began = time.perf_counter()
    with ThreadPoolExecutor(2) as pool:
        delays = list(pool.map(lambda _: ahead(), range(many)))
    took = time.perf_counter() - began
    equal = len(set(delays)) == 1
    running = _told(engine.get(["vehicles.running"]))["vehicles.running"]
    fork_how = run.how(
        f"{1e3 * by_fork:.1f} ms to fork a SUMO with {running} vehicles and close it, "
        f"{1e3 * by_file:.0f} ms to write a snapshot that a fresh process reads "
        f"(medians of {rounds})"
    )
    many_how = run.how(
        f"{took:.2f} s for {many} forks, each {AHEAD // SECOND} s ahead, two at a time; "
        f"{1e3 * alone:.0f} ms for one alone; load {os.getloadavg()[0]:.1f} on {os.cpu_count()} "
        f"cores, of which it wants two; all ended {'alike' if equal else 'DIFFERENTLY'}"
    )
    share = took / (many * alone) if equal else float("nan")
    return [
        at_most("engine fork", by_fork / by_file, 0.1, "x a snapshot and a restore", fork_how),
        at_most("many forks", share, 0.75, "x as many runs one after the other", many_how),
    ]


def _city(folder: Path) -> Sumo:
    """Five by five junctions with signals, and traffic that comes by chance."""
    import sumo  # noqa: PLC0415 -- an extra

    net, routes = folder / "grid.net.xml", folder / "grid.rou.xml"
    program = Path(sumo.SUMO_HOME, "bin", "netgenerate")
    size = ("--grid", "--grid.number", "5", "--grid.length", "200")
    signals = ("--default-junction-type", "traffic_light", "--default.lanenumber", "2")
    command: list[str | Path] = [program, *size, *signals, "--output-file", net]
    subprocess.run(command, check=True, capture_output=True, timeout=60)  # noqa: S603 -- SUMO's own
    routes.write_text(ROUTES)
    return Sumo(net=str(net), routes=(str(routes),))


def _told(outcome: Outcome[T]) -> T:
    if isinstance(outcome, Told):
        return outcome.value
    raise RuntimeError(str(outcome))


def _median(times: int, call: Callable[[], object]) -> float:
    took = np.empty(times)
    for n in range(times):
        began = time.perf_counter()
        call()
        took[n] = time.perf_counter() - began
    return float(np.median(took))
