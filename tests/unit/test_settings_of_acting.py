"""site.toml: which controls are set by which device, and how plans are carried out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gemeos.cli.main import main
from gemeos.errors import SettingsError
from gemeos.link.mqtt import MqttVersion
from gemeos.runtime.actuator_links import MqttActuatorLink
from gemeos.runtime.settings import read
from gemeos.testing.valve import bare_twin
from gemeos.units.instant import SECOND

GUIDE = Path(__file__).parents[2] / "docs/how-to/apply-a-plan.md"
WHOLE = """
[site]
name = "tanks"
[link.inbox]
kind = "http"
[twin.tank]
type = "gemeos.testing.valve:bare_twin"
[[twin.tank.bind]]
channel = "inbox:gauge"
to = "gauge"
[[twin.tank.act]]
place = "plc:tank/valve"
to = "valve"
unit = "L/s"
most = "1.5 m^3/s"
rate = "60 L/s per min"
interlocks = ["P(level > 3 m) < 0.05"]
pace = "30 s"
[twin.tank.apply]
approvers = ["ada", "grace"]
four_eyes = true
oldest_state = "1 min"
watch = "10 min"
[actuator.plc]
kind = "mqtt"
broker = "mqtt://127.0.0.1:1884"
password_file = "secret"
version = "5"
[actuator.plc.topics]
command = "plant/command/{place}"
acknowledgement = "plant/acknowledgement"
reported = "plant/reported/{place}"
ask = "plant/ask/{place}"
heartbeat = "plant/heartbeat"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "site.toml"
    path.write_text(WHOLE)
    return path


@pytest.mark.parametrize(
    ("limits", "told"),
    [
        ({"least": "2 m^3/s", "most": "1 m^3/s"}, "least 2 m^3/s, most 1 m^3/s"),
        ({"least": "2500 L/s"}, "least 2500 L/s, most not given, and the model declares 0 to 2"),
        ({"most": "-1 m^3/s"}, "from 0 to -1 m^3/s there is none"),
    ],
)
def test_that_limits_that_contradict_are_told_with_what_was_asked_and_declared(
    limits: dict[str, str], told: str
) -> None:
    with pytest.raises(SettingsError, match=re.escape(told)):
        bare_twin("tank").actuate("plc:tank/valve", to="valve", **limits)


def test_that_a_limit_beyond_what_is_declared_is_kept_and_told(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert read(file).site.idle_limits == []
    file.write_text(WHOLE.replace('most = "1.5 m^3/s"', 'least = "-100 L/s"\nmost = "2500 L/s"'))
    site = read(file).site
    # The valve is declared from 0 to 2 m^3/s.
    assert site.twins[0].actuations["valve"].rules.limits == (0.0, 2.0)
    end = "changes nothing, since the model declares 0 to 2 m^3/s: no plan goes beyond that."
    assert site.idle_limits == [
        f"tank: valve: least = -0.1 m^3/s {end}",
        f"tank: valve: most = 2.5 m^3/s {end}",
    ]
    assert main(["check", str(file)]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert f"most = 2.5 m^3/s {end}" in told


def test_that_a_limit_that_is_the_declared_one_is_no_matter(file: Path) -> None:
    file.write_text(WHOLE.replace('most = "1.5 m^3/s"', 'least = "0 L/s"\nmost = "2000 L/s"'))
    assert read(file).site.idle_limits == []


def test_that_a_pace_of_nothing_is_told() -> None:
    with pytest.raises(SettingsError, match="a pace of '0 s' is none"):
        bare_twin("tank").actuate("plc:tank/valve", to="valve", pace="0 s")


def test_that_rules_conduct_and_actuators_are_read(file: Path) -> None:
    site = read(file).site
    (twin,), (actuator,) = site.twins, site.actuators
    actuation = twin.actuations["valve"]
    assert (actuation.actuator, actuation.place, actuation.unit) == ("plc", "tank/valve", "L/s")
    assert actuation.rules.limits == (0.0, 1.5)
    rate = actuation.rules.rate
    assert rate is not None
    assert rate.most == pytest.approx(0.06)
    assert rate.within == 60 * SECOND
    assert [str(each) for each in actuation.rules.interlocks] == ["P(level > 3 m) < 0.05"]
    assert actuation.rules.tolerance == pytest.approx(0.02)  # a hundredth of 0 .. 2
    assert actuation.rules.pace == 30 * SECOND
    assert actuation.outward(1.5) == pytest.approx(1500.0)
    assert actuation.inward(1500.0, "") == pytest.approx(1.5)
    assert twin.conduct.approvers == ("ada", "grace")
    assert (twin.conduct.four_eyes, twin.conduct.watch) == (True, 600 * SECOND)
    assert isinstance(actuator, MqttActuatorLink)
    assert actuator.password_file == str(file.parent / "secret")
    assert actuator.version is MqttVersion.V5


def test_that_what_the_guide_writes_into_site_toml_is_read(tmp_path: Path) -> None:
    (block,) = re.findall(r"```toml\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    twin = '[site]\nname = "s"\n[twin.tank]\ntype = "gemeos.testing.valve:bare_twin"\n'
    path = tmp_path / "site.toml"
    path.write_text(twin + block)
    (told,) = read(path).site.twins
    assert told.conduct.four_eyes
    assert told.actuations["valve"].rules.rate is not None


@pytest.mark.parametrize(
    ("right", "wrong", "told"),
    [
        ('to = "valve"', 'to = "gauge"', "gauge is a sensor; only what is declared as a control"),
        ('place = "plc:tank/valve"', 'place = "valve"', "does not name a place"),
        ('place = "plc:', 'place = "plz:', "Did you mean 'plc'"),
        ("60 L/s per min", "60 L/s", "is no rate"),
        ('most = "1.5 m^3/s"', 'most = "1.5 kg"', "act 'plc:tank/valve'"),
        ("P(level > 3 m)", "P(levell > 3 m)", "act 'plc:tank/valve'"),
        ("four_eyes", "six_eyes", "no key 'six_eyes'"),
        ('watch = "10 min"', 'role = "viewer"', "cannot approve"),
        ('kind = "mqtt"', 'kind = "modbus"', "modbus"),
        ('ask = "plant/ask/{place}"\n', "", "lacks 'ask'"),
    ],
)
def test_that_a_mistake_is_told_with_where_and_what_was_meant(
    file: Path, right: str, wrong: str, told: str
) -> None:
    assert right in WHOLE
    file.write_text(WHOLE.replace(right, wrong))
    with pytest.raises(Exception, match=told) as raised:
        read(file)
    assert isinstance(raised.value, SettingsError)
