"""The process that an engine lives in: it ends when it must, and nobody waits for ever."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from gemeos.engines import frames
from gemeos.engines.hosted import HostedEngine
from gemeos.engines.outcome import Crashed, Failed, Told
from gemeos.engines.spec import Fork, Snapshot
from gemeos.engines.worker import MOST_SAID
from gemeos.errors import EngineError, InputError
from gemeos.testing.contracts.engine import T0, told
from gemeos.units.instant import SECOND
from tests.contracts.mischief_engine import STEP, Settings, opened

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def counter() -> Iterator[HostedEngine]:
    with opened() as engine:
        yield engine


@pytest.fixture
def engine(counter: HostedEngine) -> Iterator[HostedEngine]:
    with counter.another() as engine:
        told(engine.reset({}, 1, T0))
        yield engine


def until(holds: Callable[[], bool], longest: float = 10.0) -> bool:
    end = time.monotonic() + longest
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def gone(pid: int) -> bool:
    """It has ended; a zombie that nobody has waited for has ended too."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_that_a_crash_tells_the_signal_or_code_where_this_process_is_the_parent() -> None:
    with opened(fork=False) as engine:
        for how, code in (("crash", -signal.SIGSEGV), ("exit", 3)):
            told(engine.reset({}, 1, T0))
            told(engine.set({"mischief": how}))
            crashed = engine.advance(T0 + STEP)
            assert isinstance(crashed, Crashed)
            assert crashed.exit_code == code


def test_that_last_words_tell_what_was_printed_and_where_it_fell(engine: HostedEngine) -> None:
    told(engine.set({"mischief": "crash"}))
    crashed = engine.advance(T0 + STEP)
    assert isinstance(crashed, Crashed)
    assert crashed.said.startswith("the last words\n")
    assert "Segmentation fault" in crashed.said
    assert "_misbehave" in crashed.said


def test_that_an_engine_that_raises_has_failed_with_its_text(engine: HostedEngine) -> None:
    told(engine.set({"mischief": "raise"}))
    failed = engine.advance(T0 + STEP)
    assert isinstance(failed, Failed)
    assert failed.why.startswith("ValueError: no such valve (mischief_engine.py:")


def test_that_chatter_of_python_and_of_c_is_kept_to_its_end(engine: HostedEngine) -> None:
    told(engine.set({"mischief": "chatter"}))
    outcome = engine.advance(T0 + STEP)
    assert isinstance(outcome, Told)
    assert len(outcome.said) == MOST_SAID
    assert outcome.said.rstrip().endswith(("x", "the end of it", "from C"))
    assert "the end of it" in outcome.said
    quiet = engine.get(["count"])
    assert quiet == Told({"count": 1.0}, "")


def test_that_a_killed_process_is_a_crash_of_the_next_call(engine: HostedEngine) -> None:
    pid = engine.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    assert isinstance(engine.get(["count"]), Crashed)
    told(engine.reset({}, 1, T0))
    assert told(engine.get(["count"])) == {"count": 0.0}


def test_that_a_stopped_process_is_killed_at_the_limit() -> None:
    with opened(limit=SECOND) as engine:
        told(engine.reset({}, 1, T0))
        pid = engine.pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        assert str(engine.advance(T0 + STEP)) == "gave no answer within 1 s"
        assert until(lambda: gone(pid))


def test_that_a_process_that_speaks_nonsense_is_a_crash(engine: HostedEngine) -> None:
    told(engine.set({"mischief": "nonsense"}))
    pid = engine.pid
    assert pid is not None
    assert isinstance(engine.advance(T0 + STEP), Crashed)
    assert until(lambda: gone(pid))


def test_that_an_engine_with_threads_says_that_it_cannot_be_forked_and_goes_on(
    engine: HostedEngine,
) -> None:
    told(engine.set({"mischief": "threads"}))
    told(engine.advance(T0 + STEP))
    told(engine.set({"mischief": ""}))
    refused = engine.fork()
    assert isinstance(refused, Failed)
    assert "2 threads run in the engine" in refused.why
    told(engine.advance(T0 + 2 * STEP))
    assert told(engine.get(["count"])) == {"count": 2.0}


def test_that_a_fork_of_an_engine_that_ended_is_its_end(engine: HostedEngine) -> None:
    told(engine.set({"mischief": "raise"}))
    failed = engine.advance(T0 + STEP)
    assert engine.fork() == failed
    assert engine.snapshot() == failed


def test_that_a_blank_process_that_was_killed_is_made_again() -> None:
    with opened() as engine:
        told(engine.reset({}, 1, T0))
        (blank,) = (
            child.pid
            for child in psutil.Process().children()
            if engine.pid in {fork.pid for fork in child.children()}
        )
        os.kill(blank, signal.SIGKILL)
        told(engine.advance(T0 + STEP))  # the simulation itself does not need it
        told(engine.reset({"first": 4.0}, 1, T0))
        assert told(engine.get(["count"])) == {"count": 4.0}


def test_that_an_interrupted_call_ends_the_simulation_and_mixes_up_no_answers(
    engine: HostedEngine,
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    told(engine.set({"mischief": "hang"}))
    before = signal.signal(signal.SIGUSR1, interrupt)
    later = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGUSR1))
    later.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            engine.advance(T0 + STEP)
    finally:
        later.join()
        signal.signal(signal.SIGUSR1, before)
    assert isinstance(engine.get(["count"]), Crashed)
    told(engine.reset({}, 1, T0))
    assert told(engine.get(["count"])) == {"count": 0.0}


def test_that_each_simulation_has_a_process_of_its_own(engine: HostedEngine) -> None:
    first = engine.pid
    assert first is not None
    told(engine.reset({}, 1, T0))
    assert engine.pid != first
    assert until(lambda: gone(first))


def test_that_closing_leaves_no_process() -> None:
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    engine = opened()
    told(engine.reset({}, 1, T0))
    fork = told(engine.fork())
    started = {child.pid for child in psutil.Process().children(recursive=True)} - before
    assert {engine.pid, fork.pid} < started
    engine.close()
    assert told(fork.get(["count"])) == {"count": 0.0}
    fork.close()
    assert until(lambda: all(gone(pid) for pid in started))


def test_that_forks_that_were_closed_first_leave_not_even_a_zombie() -> None:
    with opened() as counter:
        engine = counter.another()
        told(engine.reset({}, 1, T0))
        forks = [told(engine.fork()) for _ in range(5)]
        pids = [fork.pid for fork in forks]
        for fork in forks:
            fork.close()
        engine.close()
        assert until(lambda: not any(psutil.pid_exists(pid or 0) for pid in pids))


ORPHANS = """
import os, sys, threading, time
from gemeos.testing.contracts.engine import T0
from tests.contracts.mischief_engine import STEP, opened

engine = opened(limit=60_000_000)
engine.reset({}, 1, T0)
fork = engine.fork().value
engine.set({"mischief": "hang"})
print(engine.pid, fork.pid, flush=True)
threading.Thread(target=engine.advance, args=(T0 + STEP,), daemon=True).start()
time.sleep(60)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="Linux alone tells a process in a long call")
def test_that_engines_die_with_their_keeper_even_in_the_middle_of_a_call() -> None:
    keeper = subprocess.Popen(
        [sys.executable, "-c", ORPHANS], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    try:
        assert keeper.stdout is not None
        pids = [int(pid) for pid in keeper.stdout.readline().split()]
        assert len(pids) == 2
        time.sleep(0.3)  # into the hang
        assert not any(gone(pid) for pid in pids)
    finally:
        keeper.kill()
        keeper.communicate()
    assert until(lambda: all(gone(pid) for pid in pids))


def test_that_without_fork_a_new_process_takes_over_a_snapshot() -> None:
    with opened(fork=False) as engine:
        assert engine.spec.capabilities.fork is Fork.RESTORE
        assert engine.spec.capabilities.snapshot is Snapshot.REPLAY
        told(engine.reset({"first": 3.0}, 1, T0))
        told(engine.set({"rate": 2.0}))
        told(engine.advance(T0 + 2 * STEP))
        with told(engine.fork()) as fork:
            told(engine.set({"rate": 0.0}))
            told(fork.advance(T0 + 4 * STEP))
            told(engine.advance(T0 + 4 * STEP))
            assert told(fork.get(["count"])) == {"count": 3.0 + 4 * 2.0}
            assert told(engine.get(["count"])) == {"count": 3.0 + 2 * 2.0}


def test_that_a_replay_takes_all_that_was_set_at_its_time(engine: HostedEngine) -> None:
    for step, rate in enumerate((5.0, 0.0, 1.0)):
        told(engine.set({"rate": rate}))
        told(engine.advance(T0 + (step + 1) * STEP))
    kept = told(engine.snapshot())
    told(engine.advance(T0 + 9 * STEP))
    told(engine.restore(kept))
    assert told(engine.get(["count", "rate"])) == {"count": 6.0, "rate": 1.0}


def test_that_a_snapshot_of_something_else_is_refused(engine: HostedEngine) -> None:
    kept = told(engine.snapshot()).replace(b"counter", b"planner")
    with pytest.raises(InputError, match="planner 1, not of counter 1"):
        engine.restore(kept)


def test_that_a_value_outside_its_bounds_is_refused_with_them(engine: HostedEngine) -> None:
    with pytest.raises(InputError, match="between 0 and 10 1/s; 11"):
        engine.set({"rate": 11.0})


def test_that_an_engine_that_is_not_there_is_told_when_it_is_opened() -> None:
    with pytest.raises(EngineError, match="No module named 'no_such_module'"):
        HostedEngine.opened("nothing", "no_such_module:make", Settings(), SECOND, fork=True)


def test_that_frames_come_out_whole_however_they_came_in() -> None:
    sent: list[frames.Request] = [
        frames.Get(["a", "b"]),
        frames.Restore(b"\0" * 1000, 7),
        frames.Describe(),
    ]
    wire = b"".join(frames.framed(message) for message in sent)
    for size in (1, 3, 1000, len(wire)):
        taken = frames.Frames()
        bodies = []
        for start in range(0, len(wire), size):
            taken.feed(wire[start : start + size])
            while (body := taken.whole()) is not None:
                bodies.append(frames.requests.decode(body))
        assert bodies == sent


def test_that_a_frame_longer_than_any_is_refused_before_it_is_awaited() -> None:
    taken = frames.Frames()
    taken.feed((frames.LARGEST + 1).to_bytes(4, "little"))
    with pytest.raises(ValueError, match="a frame of"):
        taken.whole()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a process adopt orphans")
def test_that_forks_whose_origin_ended_leave_nothing_behind() -> None:
    with opened() as counter:
        engine = counter.another()
        told(engine.reset({}, 1, T0))
        assert engine.pid is not None
        ours = psutil.Process(engine.pid).ppid()
        pids = []
        for _ in range(3):
            copy = told(engine.fork())
            engine.close()
            engine = copy
            assert engine.pid is not None
            pids.append(engine.pid)
        # Its own origin has ended: the process that all come from is its parent now.
        assert until(lambda: psutil.Process(pids[-1]).ppid() == ours)
        engine.close()
        assert until(lambda: not any(psutil.pid_exists(pid) for pid in pids))
