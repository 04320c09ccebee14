"""Declared models as FMUs: run by FMPy they move as the twin's own simulator does."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import gemeos as gm
from gemeos.cli import main
from gemeos.engines.fmi import Fmi, opened
from gemeos.engines.spec import Role, Snapshot
from gemeos.simulate import compile_model
from gemeos.testing.contracts.engine import T0, told
from gemeos.units.instant import SECOND
from tests.conftest import missing

MODELS = '''
"""Models for the tests of exports."""

import math

import gemeos as gm
from exported_helpers import weight


@gm.model(dt="0.1 s")
class Deck:
    """A deck that swings in the "wind"."""

    x: float = gm.state("m", gm.normal(0.1, SPREAD), noise=1e-4)
    v: float = gm.state("m/s", gm.normal(0, SPREAD), noise=2e-3)
    k: float = gm.param("1/s^2", gm.lognormal(4, 0.1), bounds=(0.5, None))
    mass: float = gm.const("t", default=2.0)
    wind: float = gm.input("m/s", default=3.0)
    damper: float = gm.control("m/s^2", bounds=(-5, 5), default=0.0)

    def step(self, dt: float) -> "Deck":
        push = 2e-3 * self.wind * abs(self.wind) / self.mass + self.damper
        v = self.v + dt * (push - self.k * math.sin(self.x) - 0.3 * self.v)
        return Deck(x=self.x + dt * v, v=v)

    @gm.sensor("m/s^2", noise=0.02)
    def accel(self) -> float:
        return self.damper - self.k * math.sin(self.x)

    @gm.virtual("kN")
    def load(self) -> float:
        return weight(self.mass) * math.cos(self.x)
'''
HELPERS = "def weight(mass):\n    return 9.81 * mass\n"
RUN = """
import json, sys
import fmpy
told = fmpy.simulate_fmu(
    sys.argv[1], stop_time=10.0, output_interval=0.1, step_size=0.1,
    start_values={"k": 5.0, "mass": 1.5, "x": 0.2, "wind": 8.0, "damper": 0.05},
    output=["x", "v", "accel", "load"],
)
print(json.dumps([list(map(float, row)) for row in told]))
"""
VALUES, DRIVEN, CONSTS = (0.2, 0.0, 5.0), (8.0, 0.05), (1.5,)


@pytest.fixture(scope="module", params=["float32", "float64"])
def deck(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[type]:
    if find_spec("fmpy") is None or find_spec("pythonfmu") is None:
        missing("fmpy or pythonfmu of the extra gemeos[fmi]")
    folder = tmp_path_factory.mktemp("models")
    name = f"exported_{request.param}"
    # A prior as narrow as that makes a twin count in float64.
    spread = {"float32": "0.01", "float64": "1e-8"}[request.param]
    (folder / f"{name}.py").write_text(MODELS.replace("SPREAD", spread))
    (folder / "exported_helpers.py").write_text(HELPERS)
    sys.path.insert(0, str(folder))
    try:
        yield importlib.import_module(name).Deck
    finally:
        sys.path.remove(str(folder))
        sys.modules.pop("exported_helpers", None)


@pytest.fixture(scope="module")
def exported(deck: type, tmp_path_factory: pytest.TempPathFactory) -> Path:
    helpers = Path(str(sys.modules["exported_helpers"].__file__))
    return gm.export_fmu(deck, tmp_path_factory.mktemp("fmus") / "deck.fmu", files=[helpers])


def moved(deck: type, steps: int) -> np.ndarray:
    """States and outputs of the twin's own simulator, at the start and after each step."""
    simulator = compile_model(deck)
    kind = simulator.schema.precision
    values = np.array(VALUES, kind)[None, :, None]
    driven, consts = np.array(DRIVEN, kind)[None, :, None], np.array([CONSTS], kind)
    rows = []
    for _ in range(steps + 1):
        outputs = simulator.observe(values, driven, consts)
        rows.append([*values[0, :2, 0], *outputs[0, :, 0]])
        values = np.concatenate([simulator.step(values, driven, consts), values[:, 2:]], axis=1)
    return np.array(rows, np.float64)


def test_that_fmpy_runs_it_as_the_twins_own_simulator_does(
    deck: type, exported: Path, tmp_path: Path
) -> None:
    # Where there is neither the model's file nor its helper.
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(exported)],
        capture_output=True,
        text=True,
        timeout=50,
        check=True,
        cwd=tmp_path,
    )
    rows = np.array(json.loads(done.stdout.splitlines()[-1]))
    assert len(rows) == 101
    np.testing.assert_allclose(rows[:, 0], 0.1 * np.arange(101), atol=1e-9)
    kind = gm.Twin("deck", deck).schema.precision
    tolerance = 1e-6 if kind == np.float32 else 1e-12
    scale = np.abs(rows[:, 1:]).max(axis=0)
    np.testing.assert_allclose(rows[:, 1:] / scale, moved(deck, 100) / scale, atol=tolerance)


def test_that_its_variables_have_their_roles_units_bounds_and_starts(exported: Path) -> None:
    with opened(Fmi(str(exported))) as engine:
        spec = engine.spec
    roles = {v.name: v.role for v in spec.variables}
    assert roles == {
        "x": Role.OUTPUT,
        "v": Role.OUTPUT,
        "k": Role.PARAM,
        "mass": Role.PARAM,
        "wind": Role.INPUT,
        "damper": Role.INPUT,
        "accel": Role.OUTPUT,
        "load": Role.OUTPUT,
    }
    assert {v.name for v in spec.variables if v.inner} == {"x", "v"}
    by_name = spec.by_name
    assert (by_name["k"].unit, by_name["k"].start, by_name["k"].bounds) == (
        "1/s^2",
        4.0,
        (0.5, None),
    )
    assert (by_name["mass"].start, by_name["wind"].start) == (2.0, 3.0)
    assert by_name["damper"].bounds == (-5.0, 5.0)
    assert by_name["load"].unit == "kN"
    assert spec.step == SECOND // 10
    assert spec.capabilities.snapshot is Snapshot.EXACT


def test_that_gemeos_itself_runs_keeps_and_forks_it(exported: Path) -> None:
    with opened(Fmi(str(exported))) as engine:
        told(engine.reset({"k": 5.0}, 1, T0))
        told(engine.advance(T0 + SECOND))
        kept = told(engine.snapshot())
        told(engine.advance(T0 + 2 * SECOND))
        expected = told(engine.get(engine.spec.names))
        told(engine.restore(kept))
        told(engine.advance(T0 + 2 * SECOND))
        assert told(engine.get(engine.spec.names)) == expected


def test_that_a_step_beside_the_models_grid_is_refused(exported: Path) -> None:
    with opened(Fmi(str(exported), step=SECOND // 15)) as engine:
        told(engine.reset({}, 1, T0))
        refused = engine.advance(T0 + SECOND // 15)
    assert "Deck goes in steps of 0.1 s" in str(refused) + refused.said


def test_that_a_twin_of_a_site_is_exported_with_its_constants(
    deck: type, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site = tmp_path / "site.toml"
    name = deck.__module__
    site.write_text(
        f'[site]\nname = "s"\n[twin.bridge]\ntype = "{name}:Deck"\nconsts = {{ mass = "3 t" }}\n'
    )
    path = tmp_path / "bridge.fmu"
    helpers = str(sys.modules["exported_helpers"].__file__)
    assert main(["export", "bridge", str(path), "--site", str(site), "--file", helpers]) == 0
    assert "Where it is run there must be Python and gemeos." in capsys.readouterr().out
    with zipfile.ZipFile(path) as archive:
        assert {f"resources/{name}.py", "resources/exported_helpers.py"} <= {*archive.namelist()}
        description = archive.read("modelDescription.xml").decode()
    assert 'start="3" unit="t"' in description
    assert "description=\"A deck that swings in the 'wind'.\"" in description
    assert main(["export", "bridges", str(path), "--site", str(site)]) == 1
    assert "Did you mean 'bridge'?" in capsys.readouterr().err
    assert main(["export", f"{name}:Dek", str(path)]) == 1
    assert "Did you mean 'Deck'?" in capsys.readouterr().err
    assert main(["export", f"{name}:Deck", str(tmp_path / "again.fmu"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["model"] == "Deck"
