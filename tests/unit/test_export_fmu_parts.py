"""What is asked of a model that is to be an FMU, and what the FMU is made of."""

from __future__ import annotations

import importlib
import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest

import gemeos as gm
from gemeos.cli import main
from gemeos.errors import SchemaError, UnknownNameError
from tests.conftest import missing

MODEL = """
import gemeos as gm

@gm.model(dt="1 s")
class Kettle:
    water: float = gm.state("degC", gm.normal(20, 1))
    litres: float = gm.const("l", default=1.0)

    def step(self, dt: float) -> "Kettle":
        return Kettle(water=self.water + dt / self.litres)
"""


@gm.model(dt="1 s")
class Scale:
    """Needs a weight."""

    x: float = gm.state("m", gm.normal(0, 1))
    weight: float = gm.const("t")

    def step(self, dt: float) -> Scale:
        return Scale(x=self.x + 0.0 * dt)

    @gm.sensor("m")
    def read(self) -> float:
        return self.x


def test_that_what_cannot_be_exported_is_told(tmp_path: Path) -> None:
    path = tmp_path / "scale.fmu"
    known = {"weight": 1.0}
    with pytest.raises(UnknownNameError, match="Did you mean 'weight'"):
        gm.export_fmu(Scale, path, known={"wait": 1.0, "weight": 1.0})
    with pytest.raises(UnknownNameError, match="'read'"):
        gm.export_fmu(Scale, path, known={"read": 1.0})
    with pytest.raises(SchemaError, match="cannot start at nan"):
        gm.export_fmu(Scale, path, known={"weight": float("nan")})
    with pytest.raises(SchemaError, match="'weight' of Scale needs a value"):
        gm.export_fmu(Scale, path)
    with pytest.raises(SchemaError, match=r"ends with \.fmu"):
        gm.export_fmu(Scale, tmp_path / "scale.zip", known=known)
    with pytest.raises(SchemaError, match="is not a declared model"):
        gm.export_fmu(Path, path)

    @gm.model(dt="1 s")
    class Local:
        x: float = gm.state("m", gm.normal(0, 1))

        def step(self, dt: float) -> Local:
            return Local(x=self.x + 0.0 * dt)

    with pytest.raises(SchemaError, match="made inside a function"):
        gm.export_fmu(Local, path)
    assert not path.exists()


def test_that_an_fmu_carries_the_models_file_and_leaves_no_trace_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if find_spec("pythonfmu") is None:
        missing("pythonfmu of the extra gemeos[fmi]")
    name = "kettle_to_export"
    (tmp_path / f"{name}.py").write_text(MODEL)
    monkeypatch.syspath_prepend(str(tmp_path))
    before, modules = list(sys.path), set(sys.modules)
    path = tmp_path / "out" / "kettle.fmu"
    assert main(["export", f"{name}:Kettle", str(path)]) == 0
    assert f"{path}: Kettle, FMI 2.0 co-simulation." in capsys.readouterr().out
    assert sys.path == before
    left = {m for m in set(sys.modules) - modules if "kettle" in m.lower()}
    assert left == {name}
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        description = archive.read("modelDescription.xml").decode()
    assert f"resources/{name}.py" in names
    assert 'canSerializeFMUstate="true"' in description
    assert '<Unit name="degC"/>' in description
    kettle = importlib.import_module(name).Kettle
    gm.export_fmu(kettle, path, known={"litres": 1.5, "water": 30.0})
    with zipfile.ZipFile(path) as archive:
        description = archive.read("modelDescription.xml").decode()
    assert 'start="1.5" unit="l"' in description
    assert 'start="30" unit="degC"' in description


def test_that_a_name_that_is_none_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(tmp_path / "m.fmu")
    assert main(["export", "no_such_module_here:Deck", path]) == 1
    assert "no_such_module_here" in capsys.readouterr().err
    assert main(["export", "gemeos:Twinn", path]) == 1
    assert "Did you mean 'Twin'?" in capsys.readouterr().err
    assert main(["export", "tests.unit.test_export_fmu_parts:Scale", path]) == 1
    assert "'weight' of Scale needs a value" in capsys.readouterr().err
