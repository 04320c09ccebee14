"""The command line: questions to a site that does not run, checks, tokens, and told mistakes."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import gemeos as gm
from gemeos.cli import main
from gemeos.runtime.settings import read

NOWHERE = "http://127.0.0.1:9"
SITE = """
[site]
name = "tanks"
zone = "Asia/Seoul"
store = "tanks.duckdb"
[clock]
start = "2026-07-01T00:00Z"
label = "recorded 2026-07-01"
[link.past]
kind = "file"
path = "past.csv"
time = "when"
channel = "{tag}"
[twin.tank]
type = "command_line_models:Tank"
[[twin.tank.bind]]
channel = "past:gauge_cm"
to = "gauge"
unit = "cm"
"""
MODELS = """
import gemeos as gm

@gm.model(dt="1 s")
class Tank:
    level: float = gm.state("m", gm.normal(1.0, 0.5), noise=0.05)
    def step(self, dt: float) -> "Tank":
        return Tank(level=self.level + 0.0 * dt)
    @gm.sensor("m", noise=0.05)
    def gauge(self) -> float:
        return self.level
    @gm.virtual("kPa")
    def pressure(self) -> float:
        return 9.81 * self.level
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A site whose file was gone through, and that does not run any more."""
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "command_line_models.py").write_text(MODELS)
    rows = [f"2026-07-01T00:{n // 60:02}:{n % 60:02}Z,{150 + n % 3}" for n in range(120)]
    (tmp_path / "past.csv").write_text("\n".join(["when,gauge_cm", *rows]))
    path = tmp_path / "site.toml"
    path.write_text(SITE)
    with gm.run(read(path).site) as running:
        assert running.wait(30)
    return path


def asked(*words: str | Path) -> int:
    return main([str(w) for w in words])


def test_that_a_site_that_does_not_run_answers_from_its_store(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert asked("now", "--json", "--site", site, "--url", NOWHERE) == 0
    now = json.loads(capsys.readouterr().out)
    assert now["twin"] == "tank"
    assert now["times"] == ["2026-07-01T09:01:59+09:00"]
    level = now["variables"]["level"]
    # Readings of 1.50, 1.51, 1.52 m in turn.
    assert abs(level["mean"][0] - 1.51) < 0.03
    assert level["q05"][0] < 1.51 < level["q95"][0]
    assert level["unit"] == "m"
    assert now["provenance"]["source"] == "recorded 2026-07-01"


def test_that_times_are_read_in_the_sites_zone_and_told_with_their_offset(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert asked("at", "2026-07-01T09:01:00", "--site", site, "--url", NOWHERE) == 0
    told = capsys.readouterr().out
    assert "2026-07-01T09:01:00+09:00 (Asia/Seoul)" in told
    assert "pressure" in told
    assert "level" not in told  # a state: shown with --all


def test_that_a_forecast_has_a_spread_that_grows(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("forecast", "60 s", "--every", "20 s", "--json", "--site", site, "--url", NOWHERE)
    assert asked(*words) == 0
    told = json.loads(capsys.readouterr().out)
    sd = told["variables"]["level"]["sd"]
    assert len(told["times"]) == 3
    # A random walk of 0.05 m per root second: its variance grows by 0.0025 m2 a second.
    assert sd[0] < sd[1] < sd[2]
    assert abs(sd[2] ** 2 - sd[0] ** 2 - 0.0025 * 40) < 0.06


def test_that_trust_and_quarantine_are_shown(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert asked("trust", "--json", "--site", site, "--url", NOWHERE) == 0
    trust = json.loads(capsys.readouterr().out)
    assert trust["assimilated"] == 120
    assert asked("quarantine", "--site", site, "--url", NOWHERE) == 0
    assert "0 refused in all" in capsys.readouterr().out


def test_that_an_alert_tells_its_own_record(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert asked("warnings", "--site", site, "--url", NOWHERE) == 0
    assert "[twin.tank.watch.NAME] declares an alert" in capsys.readouterr().out
    watch = "[twin.tank.watch.high]\ncondition = 'level > 9 m'\nwithin = '1 min'\nevery = '10 s'\n"
    site.write_text(SITE + watch)
    with gm.run(read(site).site) as running:
        assert running.wait(30)
    assert asked("warnings", "--site", site, "--url", NOWHERE) == 0
    told = capsys.readouterr().out
    assert re.search(r"hit +missed +false +lead", told)
    assert re.search(r"high +off +level > 9 m", told)
    assert asked("warnings", "--json", "--site", site, "--url", NOWHERE) == 0
    (alert,) = json.loads(capsys.readouterr().out)["warnings"]
    assert alert["name"] == "high"


def test_that_check_tells_what_would_run(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert asked("check", site, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["links"] == ["past"]
    assert told["twins"][0]["channels"] == 1


def test_that_a_token_is_shown_once_listed_and_revoked(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert asked("token", "new", "anna", "--role", "viewer", "--site", site, "--json") == 0
    secret = json.loads(capsys.readouterr().out)["secret"]
    assert asked("token", "list", "--site", site, "--json") == 0
    listed = capsys.readouterr().out
    assert json.loads(listed)[0]["name"] == "anna"
    assert secret not in listed
    assert asked("token", "revoke", "anna", "--site", site) == 0
    assert asked("token", "revoke", "ana", "--site", site) == 1
    assert "Did you mean 'anna'?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("now", "tnk"), "Did you mean 'tank'?"),
        (("at", "2020-01-01T00:00Z"), "tank had no reading by"),
        (("at", "yesterday"), "not a time"),
        (("forecast", "6 hous"), "not a length of time"),
        (("forecast", "0.1 s"), "moves in steps of 1 s"),
    ],
)
def test_that_a_mistake_is_one_sentence_on_standard_error(
    site: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], told: str
) -> None:
    assert asked(*words, "--site", site, "--url", NOWHERE) == 1
    said = capsys.readouterr()
    assert told in said.err
    assert said.err.startswith("gemeos: ")
    assert said.out == ""


def test_that_nobody_to_ask_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert asked("now", "--site", tmp_path / "site.toml", "--url", NOWHERE) == 1
    assert f"No site answers at {NOWHERE}" in capsys.readouterr().err


@pytest.mark.timed
def test_that_a_scenario_is_shown_beside_doing_nothing_and_kept(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ("--site", site, "--url", NOWHERE)
    words = ("level=ramp to 3 m over 1 min", "--until", "2 min")
    assert asked("scenario", *words, *where) == 1
    assert "level is a state: the model moves it" in capsys.readouterr().err
    for moment in ("at 2020-01-01T00:00Z", "from 2020-01-01T00:00Z"):
        assert asked("scenario", f"level=3 m {moment}", *where) == 1
        said = capsys.readouterr().err
        assert f"level: '3 m {moment}' lies before the fork at " in said
        assert "Fork earlier instead: at=2020-01-01T00:00:00+00:00" in said
        assert "'after 5 min'" in said
    assert asked("scenario", "level=3 m after 1 min", "--until", "2 min", *where) == 0
    told = capsys.readouterr().out
    assert "scenario-1 of tank is done: level = 3.0 m after 1 min; 2 min from" in told
    pressure = next(line for line in told.splitlines() if line.startswith("pressure"))
    # 3 m instead of the 1.51 m at which the tank stands: 14.6 kPa more, the 0.05 m/sqrt(s) that
    # its level wanders being the same in both from the change on.
    without, _, _, under, _, _, more = pressure.split()[1:8]
    assert float(under) == pytest.approx(9.81 * 3, abs=2)
    assert float(more) == pytest.approx(float(under) - float(without), abs=0.5)
    assert asked("scenarios", *where) == 0
    assert "scenario-1" in capsys.readouterr().out
    assert asked("scenarios", "--show", "scenario-1", "--json", *where) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["kind"] == {"type": "scenario", "name": "scenario-1"}
    assert shown["variables"]["level"]["q50"][-1] == pytest.approx(3.0, abs=0.3)
    assert asked("scenario", "level=2.5 m", "--until", "2 min", "--name", "less", *where) == 0
    beside = ("--show", "scenario-1", "--against", "less", "--on", "pressure")
    capsys.readouterr()
    assert asked("scenarios", *beside, *where) == 0
    told = capsys.readouterr().out
    assert "less" in told
    assert "doing nothing" not in told
    pressure = next(line for line in told.splitlines() if line.startswith("pressure"))
    # 3 m instead of 2.5 m. The one is set a minute later, so that a minute's luck differs: 0.05 m
    # times the root of 60 s is 3.8 kPa in one member, and an eighth of that in the mean of 64.
    assert float(pressure.split()[7]) == pytest.approx(9.81 * 0.5, abs=2)
    # So many that it takes longer to be made again than the site lets anybody wait at once.
    large = ("scenario", "level=3 m", "--until", "10 min", "--members", "6000", "--replace")
    assert asked(*large, "--name", "large", "--json", *where) == 0
    assert asked("scenarios", "--show", "large", "--json", *where) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["kind"]["name"] == "large"
    assert asked("scenarios", "--drop", "scenario-1", *where) == 0
    assert asked("scenarios", "--show", "scenario-1", *where) == 1
    assert "has no scenario 'scenario-1'" in capsys.readouterr().err
