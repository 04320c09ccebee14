"""``gemeos adopt``: from an FMU to a living twin, by the command line and two files."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest

import gemeos as gm
from gemeos.cli import main
from gemeos.engines.fmi import fineness
from gemeos.engines.simulator import EngineSimulator
from gemeos.errors import SettingsError
from gemeos.runtime.run import RunningSite
from gemeos.runtime.scenario import Progress
from gemeos.runtime.settings import read
from gemeos.schema.reading import Reading, Series
from gemeos.testing.played import Batch, PlayedLink
from gemeos.units import instant, iso
from gemeos.units.instant import SECOND
from tests.integration.fmus.building import built, compiled

STATE = {"canGetAndSetFMUstate": "true", "canSerializeFMUstate": "true"}
BEGIN = instant("2026-07-01T00:00Z")
STIFFNESS, DAMPING, NOISE, EVERY_S, END_S = 5.0, 0.2, 0.02, 0.2, 12.0


@pytest.fixture(scope="module")
def spring_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(tmp_path_factory.mktemp("fmu"), "spring")


def asked(*words: str | Path) -> int:
    return main([str(w) for w in words])


def place(t: float) -> float:
    """Of a spring of the hidden stiffness, let go at 1 m."""
    half = DAMPING / 2
    turn = np.sqrt(STIFFNESS - half**2)
    return float(np.exp(-half * t) * (np.cos(turn * t) + half / turn * np.sin(turn * t)))


def readings() -> list[Reading]:
    """Of the spring's place."""
    rng = np.random.default_rng(7)
    series = Series("past", "x_read")
    times = [round(n * EVERY_S * SECOND) for n in range(round(END_S / EVERY_S) + 1)]
    return [
        Reading(series, BEGIN + t, place(t / SECOND) + NOISE * float(rng.standard_normal()))
        for t in times
    ]


def lived(folder: Path) -> None:
    """Uncomment the example binding of x_read; give readings by a file and few members."""
    rows = [f"{iso(r.valid_at)},{r.value!r}" for r in readings()]
    (folder / "past.csv").write_text("\n".join(["when,x_read", *rows]))
    site = folder / "site.toml"
    told = site.read_text()
    (example,) = re.findall(r"(?:# .*\n)*# to = \"x_read\"\n(?:# .*\n)*", told)
    told = told.replace(example, re.sub(r"^# ", "", example, flags=re.MULTILINE))
    told = told.replace("members = 64", "members = 24").replace("plant:x_read", "past:x_read")
    link = '[link.past]\nkind = "file"\npath = "past.csv"\ntime = "when"\n'
    clock = '[clock]\nstart = "2026-07-01T00:00Z"\nlabel = "made for a test"\n'
    site.write_text(f"{told}\n{link}\n{clock}")
    model = folder / "model.toml"
    decided = model.read_text().replace("noise = 0.01  # guessed: of one reading", "noise = 0.02")
    model.write_text(decided)


@pytest.fixture(scope="module")
def folder(spring_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An adopted spring with readings, that has not run yet."""
    made = tmp_path_factory.mktemp("sites") / "spring"
    words = ("--estimate", "stiffness", "--control", "force", "--substeps", "2", "--folder", made)
    assert asked("adopt", spring_path, *words) == 0
    lived(made)
    return made


@pytest.fixture(scope="module")
def running(folder: Path) -> Iterator[RunningSite]:
    """Each reading known when it was so."""
    declared = read(folder / "site.toml").site
    link = PlayedLink("past", [Batch([r], r.valid_at) for r in readings()])
    with gm.run(replace(declared, links=(link,), store=None)) as site:
        assert link.played.wait(40)
        assert site.caught_up(40)
        yield site


def test_that_adopting_says_what_was_found_chosen_guessed_and_is_to_decide(
    spring_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "made"
    assert asked("adopt", spring_path, "--folder", folder, "--estimate", "stiffness") == 0
    told = capsys.readouterr().out
    for line in (
        "spring (FMI 2.0, no version) can be kept in step.",
        "  states: x, v",
        "  params, estimated: stiffness",
        "  params, known: damping",
        "  inputs: force",
        "  sensors: x_read, accel, energy",
        "  model exchange; steps of 0.1 s, 4 substeps in each",
        "  ensemble filter: the FMU's whole state can be written",
        "  the prior of stiffness: lognormal(4, 0.2) is guessed",
        "  the unit of energy: 'frob2' is not known",
    ):
        assert line in told.splitlines()
    model = (folder / "model.toml").read_text()
    assert '[const.damping]\nunit = "1/s"\nvalue = 0.2' in model
    assert '[sensor.x_read]\nfmu = "x"\nunit = "m"' in model
    assert "is not known: it counts as a plain number.\n[sensor.energy]" in model
    assert "To have it estimated: [param.damping]" in model
    assert (folder / "spring.fmu").is_file()
    site = (folder / "site.toml").read_text()
    for name in ("x_read", "accel", "energy", "force"):
        assert f'# to = "{name}"' in site
    assert asked("check", folder / "site.toml", "--json") == 0
    (twin,) = json.loads(capsys.readouterr().out)["twins"]
    assert (twin["computed"], twin["step_s"], twin["members"]) == ("EngineSimulator", 0.1, 64)


def test_that_a_model_that_is_too_fast_for_its_step_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fineness, "TRIED", (4, 8))
    decay = built(tmp_path, "decay", "pythonfmu3")
    # It decays within a second, and the method is stable up to 2.8 of these a substep.
    assert asked("adopt", decay, "--step", "10 min", "--folder", tmp_path / "made") == 0
    assert "even 8 substeps are too few for this model" in capsys.readouterr().out


def test_that_adopting_twice_leaves_what_is_there_alone(
    spring_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "model.toml").write_text("mine")
    assert asked("adopt", spring_path, "--folder", tmp_path) == 1
    assert "is left alone" in capsys.readouterr().err
    assert (tmp_path / "model.toml").read_text() == "mine"


def test_that_the_twin_finds_the_hidden_stiffness_and_foresees_the_swing(
    running: RunningSite,
) -> None:
    twin = running["spring"]
    now = twin.now()
    found = now["stiffness"]
    assert found.sd[0] < 0.3  # before the first reading 0.8
    assert abs(found.mean[0] - STIFFNESS) < 3 * found.sd[0] + 0.02
    ahead = twin.forecast("4 s", every="0.5 s")["x_read"]
    expected = [place(END_S + 0.5 * (i + 1)) for i in range(8)]
    assert np.abs(ahead.mean - expected).max() < 0.1
    assert (np.abs(ahead.mean - expected) < 4 * ahead.sd + 0.01).all()


def test_that_what_ifs_and_searches_answer_with_what_the_equation_says(
    running: RunningSite,
) -> None:
    twin = running["spring"]
    twin.scenario("pushed", {"force": "2 m/s^2"}, until="4 s", every="0.1 s")
    gain = twin.compare("pushed", on="x_read").mean
    # Around 2/5 m after the first swing: half a turn is 1.4 s.
    half = DAMPING / 2
    turn = np.sqrt(STIFFNESS - half**2)
    t = 0.1 * np.arange(1, len(gain) + 1)
    swing = np.exp(-half * t) * (np.cos(turn * t) + half / turn * np.sin(turn * t))
    np.testing.assert_allclose(gain, 2 / STIFFNESS * (1 - swing), atol=0.05)
    found = twin.optimise(
        "farther",
        over={"force": ["0 m/s^2", "1 m/s^2", "2 m/s^2"]},
        until="1.5 s",
        every="0.5 s",
        maximise="mean(x_read)",
        budget="30 runs",
    )
    assert found.progress is Progress.DONE
    assert found.winner is not None
    assert found.winner["force"] == "2.0 m/s^2"
    assert found.is_recommended


def test_that_a_hindcast_warns_of_the_swings_that_were(running: RunningSite) -> None:
    twin = running["spring"]
    told = twin.hindcast(
        "x_read < -0.4 m",
        within="1 s",
        every="0.5 s",
        since=BEGIN + 5 * SECOND,
        until=BEGIN + 10 * SECOND,
    )
    assert told.progress is Progress.DONE
    assert told.hits >= 1
    assert told.misses == 0


def test_that_killing_the_fmus_processes_costs_nothing_but_time(running: RunningSite) -> None:
    twin = running["spring"]
    simulator = cast("EngineSimulator", twin.simulator)
    answers: list[np.ndarray] = []

    def ask() -> None:
        at = BEGIN + 10 * SECOND
        told = twin.scenario("still", {"force": "1 m/s^2"}, until="5 s", at=at, replacing=True)
        answers.append(told["x_read"].mean)

    ask()
    asking = threading.Thread(target=ask)
    asking.start()
    killed = 0
    while asking.is_alive() and killed < 4:
        time.sleep(0.15)
        for pid in simulator.pids:
            with suppress(ProcessLookupError):  # not yet missed since the last time
                os.kill(pid, signal.SIGKILL)
                killed += 1
    asking.join(30)
    assert killed >= 2
    np.testing.assert_array_equal(answers[0], answers[1])


def test_that_gemeos_up_runs_what_was_adopted(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place_ = tmp_path / "site"
    shutil.copytree(folder, place_)
    with (place_ / "site.toml").open("a") as site:
        site.write("\n[serve]\nport = 0\n")
    up = subprocess.Popen(
        [sys.executable, "-m", "gemeos", "up", place_ / "site.toml"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "COLUMNS": "200"},
    )
    assert up.stdout is not None
    try:
        killer = threading.Timer(45, up.kill)
        killer.start()
        assert any("spring is finished" in line for line in up.stdout)
    finally:
        up.terminate()
        up.communicate(timeout=20)
        killer.cancel()
    assert up.returncode == 0
    words = ("--json", "--site", place_ / "site.toml", "--url", "http://127.0.0.1:9")
    assert asked("now", "--all", *words) == 0
    found = json.loads(capsys.readouterr().out)["variables"]["stiffness"]
    assert found["q05"][0] - 0.1 < STIFFNESS < found["q95"][0] + 0.1


def test_that_an_fmu_that_hides_its_state_is_kept_in_step_by_its_params(tmp_path: Path) -> None:
    leak, inflow, noise, first = 0.3, 2.0, 0.02, 2.0
    tank = built(tmp_path, "tank", "pythonfmu", **STATE)
    folder = tmp_path / "tank"
    words = ("--name", "tank", "--estimate", "leak", "--step", "1 s", "--folder", folder)
    assert asked("adopt", tank, *words) == 0
    model = (folder / "model.toml").read_text()
    for written, decided in (
        ('"lognormal(0.5, 0.2)"', '"lognormal(0.5, 0.5)"'),
        ("default = 0.0", f"default = {inflow}"),
        ('"40 s"', '"10 s"'),
        ('"10 s"  # guessed: so often', '"5 s"'),
    ):
        assert written in model
        model = model.replace(written, decided)
    (folder / "model.toml").write_text(model)
    site = (folder / "site.toml").read_text().replace("members = 24", "members = 12")
    bind = '[[twin.tank.bind]]\nchannel = "past:level"\nto = "level"\n'
    clock = '[clock]\nstart = "2026-07-01T00:00Z"\nlabel = "made for a test"\n'
    (folder / "site.toml").write_text(f'{site}\n{bind}[link.past]\nkind = "file"\n{clock}')
    rng, series = np.random.default_rng(9), Series("past", "level")

    def level(t: float) -> float:
        return inflow / leak + (first - inflow / leak) * float(np.exp(-leak * t))

    # A simulation begins with the first reading, a step before it.
    rows = [
        Reading(series, BEGIN + s * SECOND, level(s + 1) + noise * float(rng.standard_normal()))
        for s in range(25)
    ]
    path = folder / "site.toml"
    path.write_text(
        path.read_text().replace("[link.past]", '[link.past]\npath = "none.csv"\ntime = "t"')
    )
    link = PlayedLink("past", [Batch([r], r.valid_at) for r in rows])
    declared = replace(read(path).site, links=(link,), store=None)
    with gm.run(declared) as running:
        assert link.played.wait(50)
        assert running.caught_up(50)
        found = running["tank"].now()["leak"]
        ahead = running["tank"].forecast("5 s", every="5 s")["level"]
    assert found.sd[0] < 0.05
    assert abs(found.mean[0] - leak) < 3 * found.sd[0] + 0.01
    assert abs(ahead.mean[0] - level(30)) < 0.1


BAD = (
    ("none.fmu", "there is no file"),
    ("text.fmu", "it is no FMU"),
    ("empty.fmu", "there is no modelDescription.xml in it"),
    ("elsewhere.fmu", "it has binaries for win64; this machine needs"),
)


@pytest.mark.parametrize(("name", "told"), BAD)
def test_that_what_cannot_be_run_is_told_and_nothing_is_written(
    spring_path: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
    told: str,
) -> None:
    path = tmp_path / name
    match name:
        case "text.fmu":
            path.write_text("no archive")
        case "empty.fmu":
            with zipfile.ZipFile(path, "w") as archive:
                archive.writestr("readme.txt", "nothing")
        case "elsewhere.fmu":
            with zipfile.ZipFile(spring_path) as whole, zipfile.ZipFile(path, "w") as archive:
                archive.writestr("modelDescription.xml", whole.read("modelDescription.xml"))
                archive.writestr("binaries/win64/spring.dll", b"MZ")
    assert asked("adopt", path, "--folder", tmp_path / "made") == 1
    assert told in capsys.readouterr().err
    assert not (tmp_path / "made").exists()


def test_that_an_fmu_that_hides_its_state_says_what_it_would_take(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tank = built(tmp_path, "tank", "pythonfmu")
    assert asked("adopt", tank, "--folder", tmp_path / "made") == 1
    told = capsys.readouterr().err
    assert "can be simulated (FMI 2.0, no version), but no reading can correct its state" in told
    assert "say which are unknown, as in --estimate leak" in told
    assert asked("adopt", tank, "--estimate", "first", "--folder", tmp_path / "made") == 1
    assert "first of Tank.fmu cannot be set while it runs" in capsys.readouterr().err
    saw = compiled(tmp_path, "saw")
    assert asked("adopt", saw, "--step", "250 ms", "--folder", tmp_path / "made") == 1
    told = capsys.readouterr().err
    assert "doubled" in told
    assert "exported for model exchange" in told
    assert "plans an event at 1 s" in told
    assert asked("adopt", saw, "--folder", tmp_path / "made") == 1
    assert "proposes no step size" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--estimate", "stiffnes"), "Did you mean 'stiffness'?"),
        (("--control", "damping"), "no input 'damping'"),
        (("--step", "soon"), "soon"),
    ],
)
def test_that_a_mistyped_choice_is_told(
    spring_path: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    told: str,
) -> None:
    assert asked("adopt", spring_path, "--folder", tmp_path / "made", *words) == 1
    assert told in capsys.readouterr().err


@pytest.mark.parametrize(
    ("instead", "by", "told"),
    [
        ('prior = "lognormal(4, 0.2)"', 'prior = "about four"', "'about four' is no prior"),
        ("[sensor.accel]", "[sensor.acceleration]", "no variable 'acceleration'"),
        ("drift = 0.0", "drfit = 0.0", "drfit"),
        ("substeps = 2", 'interface = "CoSimulation"', "needs window and stride"),
        ("substeps = 2", 'window = "1 s"\nstride = "1 s"', "no states of its own: x, v"),
        ('unit = "1/s"', 'unit = "1/fortnite"', "fortnite"),
        ("[const.damping]", "[const.damping\n", "is not TOML"),
        ('path = "spring.fmu"', 'path = "sprung.fmu"', "there is no file"),
    ],
)
def test_that_a_mistake_in_the_description_is_told(
    folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    instead: str,
    by: str,
    told: str,
) -> None:
    for name in ("site.toml", "spring.fmu"):
        shutil.copy(folder / name, tmp_path / name)
    text = (folder / "model.toml").read_text()
    assert instead in text
    (tmp_path / "model.toml").write_text(text.replace(instead, by))
    assert asked("check", tmp_path / "site.toml") == 1
    assert told in capsys.readouterr().err


def test_that_twins_of_one_fmu_share_its_processes(folder: Path) -> None:
    text = (folder / "site.toml").read_text()
    (folder / "two.toml").write_text(f'{text}\n[twin.second]\nmodel = "./model.toml"\n')
    first, second = read(folder / "two.toml").site.twins
    assert first.simulator is second.simulator
    assert isinstance(first.simulator, EngineSimulator)
    first.simulator.close()


def test_that_a_twin_is_of_a_type_or_of_a_model_not_both(tmp_path: Path) -> None:
    site = tmp_path / "site.toml"
    site.write_text('[site]\nname = "s"\n[twin.t]\nmodel = "m.toml"\ntype = "a:b"\n')
    with pytest.raises(SettingsError, match="has a model, so it has no 'type'"):
        read(site)
    site.write_text('[site]\nname = "s"\n[twin.t]\nmodel = "m.toml"\n')
    with pytest.raises(SettingsError, match="gemeos adopt"):
        read(site)
