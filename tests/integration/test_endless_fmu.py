"""An FMU that proposes an experiment of 1e8 s, and one that never answers while it is adopted."""

from __future__ import annotations

import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Final

import psutil
import pytest

from gemeos.engines import blank, hosted
from gemeos.engines.fmi import Fmi, opened
from gemeos.testing.contracts.engine import T0, told
from gemeos.units.instant import SECOND
from tests.integration.fmus.building import compiled
from tests.integration.test_adopt import asked
from tests.integration.test_slow_fmu import HELD_BY

PROPOSED: Final = b'stopTime="10"'
ENDLESS: Final = b'stopTime="1e8"'
"""A thousand million of the spring's steps: a run to there takes longer than any test may."""
OPENING_S: Final = 3
PATIENCE_S: Final = 30.0


@pytest.fixture(scope="module")
def spring(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(tmp_path_factory.mktemp("spring"), "spring")


@pytest.fixture(scope="module")
def endless(spring: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same spring in all but the end that it proposes."""
    path = tmp_path_factory.mktemp("endless") / spring.name
    with zipfile.ZipFile(spring) as whole, zipfile.ZipFile(path, "w") as archive:
        for name in whole.namelist():
            content = whole.read(name)
            if name == "modelDescription.xml":
                assert content.count(PROPOSED) == 1
                content = content.replace(PROPOSED, ENDLESS)
            archive.writestr(name, content)
    return path


def runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@contextmanager
def watched() -> Iterator[set[psutil.Process]]:
    """Every process that is begun meanwhile, by this one or by those that it began."""
    here = psutil.Process()
    before, seen, over = set(here.children(recursive=True)), set[psutil.Process](), Event()

    def watch() -> None:
        while not over.wait(0.05):
            seen.update(set(here.children(recursive=True)) - before)

    watching = Thread(target=watch)
    watching.start()
    try:
        yield seen
    finally:
        over.set()
        watching.join()


def test_that_an_end_at_1e8_s_changes_nothing_of_what_is_adopted(
    spring: Path, endless: Path, tmp_path: Path
) -> None:
    made = []
    for folder, fmu in (("short", spring), ("endless", endless)):
        place = tmp_path / folder
        words = ("--name", "spring", "--estimate", "stiffness", "--folder", place)
        assert asked("adopt", fmu, *words) == 0
        made.append([(place / name).read_text() for name in ("model.toml", "site.toml")])
    assert made[0] == made[1]


def test_that_an_end_at_1e8_s_changes_no_step(spring: Path, endless: Path) -> None:
    found = []
    for fmu in (spring, endless):
        with opened(Fmi(str(fmu))) as engine:
            told(engine.reset({}, 1, T0))
            told(engine.advance(T0 + 2 * SECOND))
            assert engine.now == T0 + 2 * SECOND
            found.append(told(engine.get(engine.spec.names)))
    assert found[0] == found[1]


def test_that_an_fmu_that_never_answers_while_it_is_adopted_is_killed_and_told(
    endless: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for module in (blank, hosted):
        monkeypatch.setattr(module, "OPENING", OPENING_S * SECOND)
    held = tmp_path / "held"
    held.touch()
    monkeypatch.setenv(HELD_BY, str(held))
    with watched() as seen:
        assert asked("adopt", endless, "--folder", tmp_path / "made") == 1
    words = capsys.readouterr().err
    assert endless.name in words
    assert f"gave no answer within {OPENING_S} s" in words
    assert not (tmp_path / "made").exists()
    assert seen
    ends = time.monotonic() + PATIENCE_S
    # What hangs would be there for as long as the file is.
    while any(map(runs, seen)):
        assert time.monotonic() < ends
        time.sleep(0.02)
    assert held.exists()
