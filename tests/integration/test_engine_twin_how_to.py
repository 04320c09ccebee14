"""What the how-to about twins of engines shows is declared as it is printed."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from gemeos.cli.main import main
from gemeos.runtime.engine_model import EngineModel
from gemeos.runtime.settings import read
from tests.integration.sumo_networks import crossing

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "engine-twin.md"
(CITY,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
(SITE,) = re.findall(r"```toml\n(.*?)```", PAGE.read_text(), re.DOTALL)


def test_that_the_city_of_the_how_to_is_declared_and_fits_its_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    network = crossing(tmp_path)
    shutil.copy(network.net, tmp_path / "city.net.xml")
    shutil.copy(network.routes[0], tmp_path / "city.rou.xml")
    (tmp_path / "city.py").write_text(CITY)
    (tmp_path / "site.toml").write_text(SITE)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert main(["check", "site.toml"]) == 0
    told = capsys.readouterr().out
    assert "EngineModel" in told
    (twin,) = read(tmp_path / "site.toml").site.twins
    assert isinstance(twin.simulator, EngineModel)
    cycle = twin.cycle()
    # Fifteen windows of a minute, and a stride more for what comes late.
    assert cycle.room.slots == 15 + 5
    cycle.close()
