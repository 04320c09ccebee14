"""``gemeos demo`` as a newcomer meets it: in step within a minute, ended as a whole, resumed."""

from __future__ import annotations

import importlib.util
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

import gemeos as gm
from gemeos.runtime.phase import Phase
from gemeos.serve.client import Connection, connect
from gemeos.testing.mosquitto import program
from tests.conftest import missing

pytestmark = [pytest.mark.timeout(150), pytest.mark.timed]


@contextmanager
def demo(folder: Path, *more: str) -> Iterator[tuple[subprocess.Popen[str], Connection]]:
    if importlib.util.find_spec("iotcore") is None and program() is None:
        missing("a broker (iotcore or mosquitto)")
    log = folder.with_suffix(".log")
    with log.open("a+", encoding="utf-8") as told:
        begin = told.tell()
        process = subprocess.Popen(
            [sys.executable, "-m", "gemeos", "demo", "--folder", str(folder), "--port", "0", *more],
            stdout=told,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            url = ""
            end = time.monotonic() + 60
            while not url:
                assert process.poll() is None, log.read_text(encoding="utf-8")
                assert time.monotonic() < end, log.read_text(encoding="utf-8")
                time.sleep(0.1)
                found = re.search(
                    r"answers at (http://\S+)", log.read_text(encoding="utf-8")[begin:]
                )
                url = found[1] if found else ""
            with connect(url) as site:
                yield process, site
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(30)
            finally:
                process.kill()
                process.wait()


def in_step(site: Connection) -> gm.Trust:
    end = time.monotonic() + 60
    while True:
        trust = site["farm"].trust()
        if trust.phase in {Phase.IN_STEP, Phase.DRIFTING}:
            return trust
        assert time.monotonic() < end, trust
        time.sleep(0.2)


def test_that_the_farm_is_in_step_within_a_minute_ends_as_a_whole_and_resumes(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "farm"
    with demo(folder) as (process, site):
        children = psutil.Process(process.pid).children(recursive=True)
        assert len(children) >= 2  # a broker and a plant
        trust = in_step(site)
        assert trust.source == "recorded from 2014-01-01, x600"
        now = site["farm"].now()
        assert now.provenance.source == trust.source
        low, high = now["farm.power"].interval(0.9)
        assert low[0] < high[0]
        before = trust.assimilated
    assert process.returncode == 0, folder.with_suffix(".log").read_text(encoding="utf-8")
    _, alive = psutil.wait_procs(children, timeout=15)
    assert alive == []

    with demo(folder) as (process, site):
        assert in_step(site).assimilated >= before
    assert process.returncode == 0


def test_that_a_demo_that_was_killed_leaves_no_process_behind_and_resumes(tmp_path: Path) -> None:
    folder = tmp_path / "farm"
    with demo(folder) as (process, site):
        children = psutil.Process(process.pid).children(recursive=True)
        before = in_step(site).assimilated
        process.kill()
        _, alive = psutil.wait_procs(children, timeout=20)
        assert alive == []
    with demo(folder) as (process, site):
        assert in_step(site).assimilated >= before
    assert process.returncode == 0
