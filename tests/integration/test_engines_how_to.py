"""What the how-to about engines shows is run as it is printed."""

from __future__ import annotations

import math
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from gemeos.engines.base import Engine
from gemeos.engines.hosted import HostedEngine
from gemeos.testing.contracts.engine import T0, Drive, EngineContract, told
from gemeos.units.instant import SECOND
from tests.conftest import missing
from tests.integration.fmus.building import built
from tests.integration.sumo_networks import crossing

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "engines.md"
CITY, TANK, ROW, KETTLE = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)


def said(program: str, folder: Path) -> list[str]:
    run = subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=55,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout.splitlines()


def test_that_the_city_of_the_how_to_is_forked_and_both_go_on(tmp_path: Path) -> None:
    city = crossing(tmp_path)
    shutil.copy(city.net, tmp_path / "city.net.xml")
    shutil.copy(city.routes[0], tmp_path / "city.rou.xml")
    first, second = said(CITY, tmp_path)
    assert first.startswith("Told(value={'trips.delay': ")
    assert second.startswith("Told(value={'trips.delay': ")
    assert first != second


def test_that_the_tank_of_the_how_to_fills(tmp_path: Path) -> None:
    built(tmp_path, "tank", "pythonfmu")
    shutil.move(next(tmp_path.glob("*.fmu")), tmp_path / "tank.fmu")
    *variables, level = said(TANK, tmp_path)
    assert "inflow input  0.0" in variables
    # inflow / leak = 4, and 3 at first: after 60 s and a leak of a half in a second, 4 - exp(-30).
    told_level = float(re.findall(r"'level': ([\d.]+)", level)[0])
    assert told_level == pytest.approx(4 - math.exp(-30), rel=1e-15)


def test_that_the_row_of_the_how_to_gives_more_where_it_is_turned(tmp_path: Path) -> None:
    if find_spec("floris") is None:
        missing("FLORIS, of the extra gemeos[floris]")
    (line,) = said(ROW, tmp_path)
    straight, turned = map(float, line.strip("[]").split())
    # Three in a row, five diameters apart, at 8 m/s: FLORIS's own optimiser gains 21.4 %.
    assert turned / straight == pytest.approx(1.214, abs=0.005)


class TestKettle(EngineContract):
    """The engine that the how-to writes keeps the contract that it names."""

    @pytest.fixture(scope="class")
    @staticmethod
    def kettle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostedEngine]:
        folder = tmp_path_factory.mktemp("kettle")
        (folder / "kettle.py").write_text(KETTLE)
        with pytest.MonkeyPatch.context() as patch:
            patch.syspath_prepend(str(folder))
            kettle = __import__("kettle")
            with kettle.opened(kettle.Kettle()) as engine:
                yield engine

    @pytest.fixture
    def engine(self, kettle: HostedEngine) -> Iterator[Engine]:
        with kettle.another() as engine:
            yield engine

    @pytest.fixture
    def drive(self) -> Drive:
        return Drive(30, {"power": 2000.0}, {"power": 500.0}, {"litres": 1.5})

    def test_that_a_kettle_boils_when_it_must(self, engine: Engine) -> None:
        told(engine.reset({}, 1, T0))
        told(engine.set({"power": 2000.0}))
        # 80 K need 80 * 4186 / 2000 = 167 s without losses, some 4 % more with them.
        told(engine.advance(T0 + 167 * SECOND))
        assert 95.0 < float(told(engine.get(["water"]))["water"]) < 100.0
        told(engine.advance(T0 + 177 * SECOND))
        assert float(told(engine.get(["water"]))["water"]) > 100.0
