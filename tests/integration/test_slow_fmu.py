"""An FMU that hangs keeps nobody waiting but its own twin, and costs that one nothing.

The FMU is a spring that waits for as long as there is a file of a certain name.
"""

from __future__ import annotations

import math
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

import gemeos as gm
from gemeos.engines.simulator import EngineSimulator
from gemeos.errors import GemeosError, StoppedError
from gemeos.runtime.run import RunningSite
from gemeos.runtime.settings import read
from gemeos.runtime.twin import together
from gemeos.schema.phase import Phase
from gemeos.schema.reading import Reading, Readings, Series, SeriesBook
from gemeos.testing.played import Batch, PlayedLink
from gemeos.units.instant import SECOND
from tests.contracts.test_slow_twins import WALK
from tests.integration.fmus.building import compiled
from tests.integration.test_adopt import BEGIN, asked, lived, readings

PATIENCE_S: Final = 40.0
HELD_BY: Final = "SPRING_HELD_BY"
HORIZON: Final = 2 * SECOND
FIRST: Final = 52
"""Readings that are taken in before it hangs."""
LATE: Final = 4
"""It comes last, when the spring's horizon lies behind it."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An adopted spring."""
    here = tmp_path_factory.mktemp("slow")
    spring, made = compiled(here, "spring"), here / "made"
    words = ("--estimate", "stiffness", "--substeps", "2", "--folder", str(made))
    assert asked("adopt", spring, *words) == 0
    lived(made)
    return made


@pytest.fixture
def held_by(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """While this is there it hangs."""
    path = tmp_path / "held"
    monkeypatch.setenv(HELD_BY, str(path))
    return path


def spring_of(folder: Path) -> gm.Twin:
    """As declared; it is tried when it is opened, so it must not hang then."""
    (twin,) = read(folder / "site.toml").site.twins
    twin.horizon = HORIZON
    return twin


def in_order() -> list[Reading]:
    """As they come: one of them long after it was due."""
    rows = readings()
    return [*rows[:LATE], *rows[LATE + 1 :], rows[LATE]]


@contextmanager
def living(spring: gm.Twin, rows: Sequence[Reading], store: Path) -> Iterator[RunningSite]:
    """A site of the spring and a declared twin; both have a reading at each instant."""
    pot = gm.Twin("pot", WALK, members=8).bind("past:p", to="y0")
    batches = [
        Batch([row, Reading(Series("past", "p"), row.valid_at, 0.4 * math.sin(k))], row.valid_at)
        for k, row in enumerate(rows)
    ]
    link = PlayedLink("past", batches)
    clock = gm.Replay(BEGIN, 1.0, "made for a test")
    site = gm.Site(
        "s", twins=(spring, pot), links=(link,), clock=clock, store=store, keyframes_every=SECOND
    )
    with gm.run(site) as live:
        # The path went through all of it, whatever the spring does.
        assert link.played.wait(PATIENCE_S)
        yield live


def pids_of(spring: gm.Twin) -> tuple[int, ...]:
    assert isinstance(spring.simulator, EngineSimulator)
    return spring.simulator.pids


def alone(folder: Path) -> str:
    """Digest of the spring that took in everything at once, in its order."""
    spring = spring_of(folder)
    fleet, book = together([spring], horizon=spring.horizon), SeriesBook()
    try:
        fleet.take(Readings.of(readings(), book), book)
        return fleet.state("spring").digest()
    finally:
        assert isinstance(spring.simulator, EngineSimulator)
        spring.simulator.close()


def healed(site: RunningSite) -> None:
    ends = time.monotonic() + PATIENCE_S
    while not site.host.timeline.events(kind="healed"):
        assert time.monotonic() < ends
        time.sleep(0.02)


def test_that_a_declared_twin_goes_on_while_an_fmu_hangs(
    folder: Path, tmp_path: Path, held_by: Path
) -> None:
    rows, store = in_order(), tmp_path / "s.duckdb"
    with living(spring_of(folder), rows[:FIRST], store) as site:
        assert site.caught_up(PATIENCE_S)
    again, last = spring_of(folder), max(row.valid_at for row in rows)
    held_by.touch()
    with living(again, rows[FIRST:], store) as site:
        trust = site["pot"].trust()
        assert trust.newest == last
        assert trust.assimilated == len(rows)
        assert site["pot"].now().provenance.data_until == last
        # All of it is stored, also what the spring has not taken in.
        assert len(site.questions.readings("spring", BEGIN - 1, last)) == len(rows)
        behind = site["spring"].trust()
        assert behind.phase is Phase.CATCHING_UP
        assert behind.newest is not None
        assert behind.newest <= rows[FIRST - 1].valid_at
        assert not site.caught_up(0.0)
        held_by.unlink()
        assert site.caught_up(PATIENCE_S)
        healed(site)
        assert site["spring"].trust().phase is Phase.IN_STEP
        assert site["spring"].trust().failed_members == 0
        assert site.host.snapshot("spring").digest() == alone(folder)


def test_that_a_stop_does_not_wait_for_an_fmu_that_hangs(
    folder: Path, tmp_path: Path, held_by: Path
) -> None:
    spring, rows = spring_of(folder), in_order()
    held_by.touch()
    with living(spring, rows, tmp_path / "s.duckdb") as site:
        assert site["pot"].trust().assimilated == len(rows)
        ends = time.monotonic() + PATIENCE_S
        while not pids_of(spring):
            assert time.monotonic() < ends
            time.sleep(0.01)
        began = time.monotonic()
    # One step of one member may take a minute, and a batch has sixteen of them.
    assert time.monotonic() - began < 20
    assert pids_of(spring) == ()


def test_that_a_stop_ends_a_question_of_the_past_that_an_fmu_keeps(
    folder: Path, tmp_path: Path, held_by: Path
) -> None:
    spring, said = spring_of(folder), list[type[BaseException]]()
    with living(spring, readings(), tmp_path / "s.duckdb") as site:
        assert site.caught_up(PATIENCE_S)
        boundary = site.host.fleet("spring").boundary("spring")
        assert boundary is not None
        held_by.touch()

        def ask() -> None:
            try:
                # Behind the horizon, so that it is gone through once more.
                spring.at(boundary - SECOND // 2)
            except GemeosError as error:
                said.append(type(error))

        asking = threading.Thread(target=ask)
        asking.start()
        asking.join(0.5)
        assert asking.is_alive()
        began = time.monotonic()
    asking.join(20)
    assert said == [StoppedError]
    assert time.monotonic() - began < 20


def test_that_a_kill_while_an_fmu_hangs_loses_nothing(
    folder: Path, tmp_path: Path, held_by: Path
) -> None:
    store = tmp_path / "s.duckdb"
    lived = subprocess.run(
        [sys.executable, "-c", KILLED, str(folder), str(store), str(held_by)],
        capture_output=True,
        text=True,
        timeout=55,
        check=False,
    )
    assert lived.returncode == -signal.SIGKILL, lived.stderr
    rows = in_order()
    assert int(lived.stdout) <= rows[FIRST - 1].valid_at
    held_by.unlink()
    with living(spring_of(folder), (), store) as site:
        assert site.caught_up(PATIENCE_S)
        assert site["pot"].trust().assimilated == len(rows)
        # What had come too late for it was acknowledged, and never told: it is healed all the same.
        healed(site)
        assert site.host.snapshot("spring").digest() == alone(folder)


KILLED: Final = """
import os, signal, sys
from pathlib import Path
from tests.integration.test_slow_fmu import FIRST, PATIENCE_S, in_order, living, spring_of

folder, store, held_by = map(Path, sys.argv[1:])
rows = in_order()
with living(spring_of(folder), rows[:FIRST], store) as site:
    assert site.caught_up(PATIENCE_S)
spring = spring_of(folder)
held_by.touch()
with living(spring, rows[FIRST:], store) as site:
    print(site["spring"].trust().newest, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""
