"""site.toml: what is understood, and how a mistake is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from gemeos.errors import SettingsError
from gemeos.runtime.links import FileLink, HttpLink, MqttLink
from gemeos.runtime.settings import read
from gemeos.runtime.site import Replay, WallTime
from gemeos.units import instant
from gemeos.units.instant import SECOND

WHOLE = """
[site]
name = "tanks"
zone = "Asia/Seoul"
store = "kept/tanks.duckdb"
keyframes_every = "5 min"
[clock]
start = "2014-01-01T00:00Z"
speed = 600
label = "recorded 2014, x600"
[serve]
port = 8100
hosts = ["twin.example"]
[link.plant]
kind = "mqtt"
broker = "mqtts://anna@broker.example"
password_file = "secret"
[[link.plant.message]]
topic = "tanks/{tank}/{tag}"
revision = "/rev"
time = "ms"
[link.plant.plant]
clock = "tanks/clock"
[link.web]
kind = "http"
[link.past]
kind = "file"
path = "past.csv"
time = "when"
interval = "10 min"
[twin.tank]
type = "gemeos.testing.linear:tank"
members = 32
[[twin.tank.bind]]
channel = "plant:1/level"
to = "y0"
noise = "0.1"
"""
MODEL = """
import numpy as np
import gemeos as gm
from gemeos.testing.linear import Linear

def tank(name: str, *, members: int = 64) -> gm.Twin:
    one = np.eye(1)
    return gm.Twin(name, Linear(one, one, one[0], one[0], one[0], 0.3), members=members)

def no_twin(name: str) -> str:
    return name
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "tank_models.py").write_text(MODEL)
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def written(folder: Path, text: str) -> Path:
    path = folder / "site.toml"
    path.write_text(text.replace("gemeos.testing.linear:tank", "tank_models:tank"))
    return path


def test_that_every_table_is_read_and_files_are_found_beside_it(folder: Path) -> None:
    settings = read(written(folder, WHOLE))
    site = settings.site
    assert (site.name, site.zone, site.keyframes_every) == ("tanks", "Asia/Seoul", 300 * SECOND)
    assert site.store == folder / "kept" / "tanks.duckdb"
    assert site.clock == Replay(instant("2014-01-01T00:00Z"), 600, "recorded 2014, x600")
    assert (settings.serving.port, settings.serving.hosts) == (8100, ("twin.example",))
    mqtt, web, past = site.links
    assert isinstance(mqtt, MqttLink)
    assert mqtt.password_file == str(folder / "secret")
    assert mqtt.message[0].revision == "/rev"
    assert mqtt.plant is not None
    assert mqtt.plant.clock == "tanks/clock"
    assert isinstance(web, HttpLink)
    assert isinstance(past, FileLink)
    assert past.path == str(folder / "past.csv")
    assert site.twins[0].members == 32
    assert site.twins[0].bindings[0].noise == 0.1


def test_that_wall_time_and_memory_are_meant_where_nothing_is_said(folder: Path) -> None:
    site = read(written(folder, '[site]\nname = "s"')).site
    assert site.clock == WallTime()
    assert site.store is None


@pytest.mark.parametrize(
    ("was", "now", "told"),
    [
        ('name = "tanks"', 'nam = "tanks"', "no key 'nam'. Did you mean 'name'?"),
        ('zone = "Asia/Seoul"', 'zone = "Asia/Soul"', "Did you mean 'Asia/Seoul'?"),
        ('zone = "Asia/Seoul"', "port = 8111", "[site] has no key 'port'. It belongs to [serve]."),
        ("\n[site]", "port = 8111\n[site]", "site.toml has no key 'port'. It belongs to [serve]."),
        ("port = 8100", "members = 8", "[serve] has no key 'members'. It belongs to [twin.NAME]."),
        ("speed = 600", 'broker = "x"', "It belongs to [link.NAME] or [actuator.NAME]."),
        ("[serve]", "[server]", "no key 'server'. Did you mean 'serve'?"),
        ("port = 8100", 'port = "high"', "port"),
        ('kind = "http"', 'kind = "htp"', "Did you mean 'http'?"),
        ('revision = "/rev"', 'revison = "/rev"', "Did you mean 'revision'?"),
        ('revision = "/rev"', 'revision = "rev"', "'rev' is not a JSON pointer"),
        ('clock = "tanks/clock"', 'clok = "tanks/clock"', "Did you mean 'clock'?"),
        ('time = "when"', "", "lacks 'time'"),
        ("members = 32", "membrs = 32", "Did you mean 'members'?"),
        ("linear:tank", "linear:tonk", "tonk"),
        ('"gemeos.testing.linear:tank"', '"tank_models:tak"', "Did you mean 'tank'?"),
        ('"gemeos.testing.linear:tank"', '"tank_models:no_twin"', "members"),
        ('"gemeos.testing.linear:tank"', '"nowhere:tank"', "No module named 'nowhere'"),
        ('to = "y0"', 'to = "y1"', "linear has no variable 'y1'"),
        ('to = "y0"', 'to = "x0"', "no sensor, input or control 'x0'"),
        ('noise = "0.1"', 'noise = "0.1 m"', "[length]"),
        ('"plant:1/level"', '"plnt:1/level"', "no link 'plnt'. Did you mean 'plant'?"),
        ('"plant:1/level"', '"level"', "link:channel"),
        ('start = "2014-01-01T00:00Z"', 'start = "2014-01-01T00:00"', "offset"),
        ('"5 min"', '"5 minuts"', "not a length of time"),
        ("[site]", "[site", "is not TOML"),
    ],
)
def test_that_a_mistake_is_told_with_where_and_what_was_meant(
    folder: Path, was: str, now: str, told: str
) -> None:
    assert was in WHOLE
    with pytest.raises(SettingsError) as caught:
        read(written(folder, WHOLE.replace(was, now)))
    assert told in str(caught.value)


def test_that_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"There is no .*site\.toml"):
        read(tmp_path / "site.toml")


def test_that_what_a_twin_watches_for_can_be_declared(folder: Path) -> None:
    watch = '[twin.tank.watch.high]\ncondition = "y0 > 5"\nwithin = "1 h"\nlikely = 0.2\n'
    text = WHOLE.replace("[[twin.tank.bind]]", f"{watch}[[twin.tank.bind]]")
    (twin,) = read(written(folder, text)).site.twins
    alert = twin.alerts["high"]
    assert (alert.condition, alert.likely) == ("y0 > 5", 0.2)
    with pytest.raises(SettingsError, match=r"watch 'high'.*'z0'"):
        read(written(folder, text.replace("y0 > 5", "z0 > 5")))
