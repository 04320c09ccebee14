"""What is written of an FMU's twin, and what is read of it, without any FMU."""

from __future__ import annotations

import tomllib
import zipfile
from pathlib import Path

import pytest

from gemeos.cli import main
from gemeos.engines.fmi import Fmi, Interface
from gemeos.engines.fmi.adoption import adoption, check
from gemeos.engines.fmi.archive import interfaces
from gemeos.engines.fmi.described import prior, read_description
from gemeos.engines.fmi.units import unit_of
from gemeos.engines.spec import Capabilities, Kind, Role, Spec, Variable
from gemeos.errors import EngineError, InputError, SchemaError, UnknownNameError
from gemeos.runtime.adopted import adopted
from gemeos.runtime.engine_model import EngineModel
from gemeos.schema.prior import LogNormal, Normal, Uniform
from gemeos.schema.variable import Const, Control, Input, Measure, Param, Sensor, State, Virtual
from gemeos.units.instant import SECOND

PUMP = (
    Variable("tank[1].level", Role.STATE, "m", bounds=(0.0, None), about="of the first tank"),
    Variable("leak", Role.PARAM, "1/s", start=0.5, tunable=True),
    Variable("shift", Role.PARAM, "frobs", start=0.0),
    Variable("pumps", Role.PARAM, kind=Kind.INTEGER, start=2),
    Variable("closed", Role.PARAM, kind=Kind.BOOLEAN, start=False),
    Variable("file", Role.PARAM, kind=Kind.TEXT, start="a.txt"),
    Variable("inflow", Role.INPUT, "m3/s", start=1.0, bounds=(0.0, 3.0)),
    Variable("wind", Role.INPUT, "m/s"),
    Variable("label", Role.INPUT, kind=Kind.TEXT),
    Variable("power", Role.OUTPUT, "W"),
    Variable("tank[1].inside", Role.OUTPUT, inner=True),
)
BEGUN = {"tank[1].level": 2.0, "power": 0.0}


def pump(*, hidden: tuple[str, ...] = ()) -> Spec:
    nudge = frozenset({"tank[1].level"})
    return Spec("pump", "FMI 2.0", SECOND, PUMP, Capabilities(nudge=nudge, hidden=hidden))


def written(folder: Path, *, hidden: tuple[str, ...] = ()) -> str:
    interface = Interface.CO_SIMULATION if hidden else Interface.MODEL_EXCHANGE
    made = adoption(
        pump(hidden=hidden),
        BEGUN,
        Fmi("pump.fmu", interface=interface, memoryless=not hidden),
        estimate=["leak"],
        controls=["inflow"],
    )
    assert made.left == ("file", "label")
    text = made.model_toml("pump.fmu")
    (folder / "model.toml").write_text(text)
    assert ("members = 24" in made.site_toml("pump")) == bool(hidden)
    return text


def test_that_what_is_written_is_read_as_it_was_meant(tmp_path: Path) -> None:
    text = written(tmp_path)
    assert "# of the first tank\n[state.tank_1_level]" in text
    assert 'The FMU\'s unit "frobs" is not known' in text
    described = read_description(tmp_path / "model.toml")
    assert described.fmi == Fmi(
        str(tmp_path / "pump.fmu"),
        step=SECOND,
        interface=Interface.MODEL_EXCHANGE,
        memoryless=True,
        logs=False,
    )
    assert described.window is None
    by_name = {v.name: v for v in described.variables}
    state = by_name["tank_1_level"]
    assert isinstance(state, State)
    # A tenth of the start is its guessed doubt, a hundredth of that is added by a step.
    assert (state.prior, state.noise) == (Normal(2.0, 0.2), 0.002)
    assert state.bounds == (0.0, None)
    assert by_name["leak"] == Param("leak", "1/s", LogNormal(0.5, 0.2))
    assert by_name["shift"] == Const("shift", "", 0.0)
    assert by_name["closed"] == Const("closed", "", 0.0)
    assert by_name["inflow"] == Control("inflow", "m^3/s", (0.0, 3.0), 1.0)
    assert by_name["wind"] == Input("wind", "m/s")
    assert by_name["power"] == Sensor("power", "W", 0.01)
    assert by_name["tank_1_level_read"] == Sensor("tank_1_level_read", "m", 0.02)
    assert described.names["tank_1_level_read"] == "tank[1].level"
    assert described.begins == {"shift": 0.0, "pumps": 2, "closed": False}
    site = adoption(pump(), BEGUN, Fmi("pump.fmu")).site_toml("pump")
    assert tomllib.loads(site)["twin"] == {"pump": {"model": "model.toml", "members": 64}}


def test_that_an_fmu_that_hides_its_state_is_fitted_to_a_window(tmp_path: Path) -> None:
    written(tmp_path, hidden=("its states",))
    model = adopted(tmp_path / "model.toml")
    assert isinstance(model, EngineModel)
    assert (model.step, model.window, model.stride) == ("1 s", "40 s", "10 s")
    assert [(p.name, p.sets) for p in model.params] == [("leak", "leak")]
    assert [(s.name, s.of, s.noise) for s in model.sensors] == [
        ("tank_1_level", "tank[1].level", 0.02),
        ("power", "power", 0.01),
    ]
    assert [i.name for i in model.inputs] == ["wind"]
    assert [c.bounds for c in model.controls] == [(0.0, 3.0)]
    assert dict(model.begins_with) == {"shift": 0.0, "pumps": 2, "closed": False}
    text = (tmp_path / "model.toml").read_text()
    averaged = text.replace("noise = 0.01", 'mean_over = "1 min"\nnoise = 0.01')
    (tmp_path / "model.toml").write_text(averaged + "[virtual.inside]\n")
    with pytest.raises(SchemaError, match="covers an interval"):
        adopted(tmp_path / "model.toml")


def test_that_choices_that_do_not_fit_are_refused() -> None:
    whole, hidden = pump(), pump(hidden=("its states",))
    check("p.fmu", whole, ["leak"], ["inflow"])
    check("p.fmu", hidden, ["leak"], [])
    for spec, estimate, controls, told in (
        (whole, ["leek"], [], "Did you mean 'leak'"),
        (whole, ["file"], [], "no param 'file'"),
        (whole, ["pumps"], [], "only reals are estimated"),
        (whole, [], ["leak"], "no input 'leak'"),
        (whole, [], ["wind"], "tells no bounds of wind"),
        (hidden, ["shift"], [], "cannot be set while it runs"),
    ):
        with pytest.raises((SchemaError, UnknownNameError), match=told):
            check("p.fmu", spec, estimate, controls)
    with pytest.raises(InputError, match="say which are unknown, as in --estimate leak"):
        check("p.fmu", hidden, [], [])
    alone = Spec("p", "FMI 2.0", SECOND, PUMP[2:], Capabilities())
    with pytest.raises(InputError, match="exported for model exchange"):
        check("p.fmu", alone, [], [])


def test_that_all_of_a_description_is_read(tmp_path: Path) -> None:
    path = tmp_path / "model.toml"
    path.write_text(
        '[fmu]\npath = "p.fmu"\nlimit = "2 s"\nworkers = 3\nbegin = 5.0\n'
        '[state.x]\nprior = "uniform(-1, 1.5e1)"\n'
        '[sensor.flow]\nunit = "m^3/s"\nsum_over = "1 min"\nwraps = 360.0\nbounds = [0, inf]\n'
        '[virtual.load]\nunit = "kN"\nfmu = "a.load"\n'
    )
    described = read_description(path)
    assert described.fmi.begin_s == 5.0
    assert (described.limit, described.workers) == (2 * SECOND, 3)
    assert described.variables == (
        State("x", "", Uniform(-1.0, 15.0)),
        Sensor("flow", "m^3/s", None, Measure.SUM, 60.0, 360.0, (0.0, None)),
        Virtual("load", "kN"),
    )
    assert described.names == {"load": "a.load"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("fmu", "is not TOML"),
        ("[virtual.x]\n", "missing required field `fmu`"),
        ('[fmu]\npath = "p"\nstep = "soon"\n', "soon"),
        ('[fmu]\npath = "p"\ninterface = "CoSimulation"\n', "needs window and stride"),
        ('[fmu]\npath = "p"\nwindow = "1 s"\n', "needs window and stride"),
        ('[fmu]\npath = "p"\nwindow = "1 s"\nstride = "1 s"\n', "needs a step"),
        ('[fmu]\npath = "p"\n[state.x]\nprior = "normal(1)"\n', "is no prior"),
        (
            '[fmu]\npath = "p"\n[sensor.x]\nmean_over = "1 s"\nsum_over = "1 s"\n',
            "one of mean_over",
        ),
    ],
)
def test_that_a_description_that_is_not_understood_is_told(
    tmp_path: Path, text: str, told: str
) -> None:
    path = tmp_path / "model.toml"
    path.write_text(text)
    with pytest.raises(SchemaError, match=told):
        read_description(path)


def test_that_a_description_that_is_missing_says_how_one_is_made(tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match=r"gemeos adopt model\.fmu"):
        read_description(tmp_path / "model.toml")
    assert prior(" lognormal( 4 , 2e-1 ) ") == LogNormal(4.0, 0.2)


def test_that_an_fmu_is_looked_into_before_it_is_executed(tmp_path: Path) -> None:
    path = tmp_path / "m.fmu"
    with pytest.raises(EngineError, match="there is no file"):
        interfaces(path)
    path.write_text("text")
    with pytest.raises(EngineError, match="it is no FMU"):
        interfaces(path)

    def archived(**files: str) -> Path:
        with zipfile.ZipFile(path, "w") as archive:
            for name, text in files.items():
                archive.writestr(name.replace("__", "/").replace("_xml", ".xml"), text)
        return path

    with pytest.raises(EngineError, match=r"no modelDescription\.xml"):
        interfaces(archived(readme=""))
    told = "<a><CoSimulation/><ModelExchange x='1'/></a>"
    assert interfaces(archived(modelDescription_xml=told)) == {"CoSimulation", "ModelExchange"}
    elsewhere = archived(modelDescription_xml="<ModelExchange/>", binaries__vax__m="1")
    with pytest.raises(EngineError, match="binaries for vax; this machine needs"):
        interfaces(elsewhere)


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("m/s", "m/s"),
        ("m/s2", "m/s^2"),
        ("W/(m2.K)", "W/(m^2*K)"),
        ("K.m-1", "K*m^-1"),
        ("degC", "degC"),
        ("", ""),
        ("frob2", None),
    ],
)
def test_that_units_of_modelica_are_read(theirs: str, ours: str | None) -> None:
    assert unit_of(theirs) == ours


def test_that_adopting_leaves_alone_what_is_there_and_says_what_is_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["adopt", str(tmp_path / "m.fmu"), "--folder", str(tmp_path)]) == 1
    assert "there is no file" in capsys.readouterr().err
    (tmp_path / "site.toml").write_text("mine")
    assert main(["adopt", str(tmp_path / "m.fmu"), "--folder", str(tmp_path)]) == 1
    assert "is left alone" in capsys.readouterr().err
