"""Units that are known without pint are what pint holds them to be."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from gemeos.errors import UnitError
from gemeos.units import conversion, known_unit
from gemeos.units.registry import converted, unit_of
from gemeos.units.usual import SECONDS, USUAL


@pytest.mark.parametrize("text", sorted(USUAL))
def test_that_pint_knows_every_usual_unit(text: str) -> None:
    assert unit_of(text) == unit_of(f" {text} ")


@pytest.mark.parametrize("text", sorted(SECONDS))
def test_that_a_unit_of_time_is_as_many_seconds_as_pint_says_to_the_last_bit(text: str) -> None:
    assert conversion(text, "s") == converted(text, "s")


def test_that_a_unit_is_turned_into_itself_only_if_it_is_known() -> None:
    assert conversion("furlong", "furlong") == (1.0, 0.0)
    with pytest.raises(UnitError, match="zorks"):
        conversion("zorks", "zorks")
    with pytest.raises(UnitError, match="zorks"):
        known_unit("zorks")


MODEL = """
import sys
import gemeos as gm

@gm.model(dt="100 ms")
class Warm:
    t: float = gm.state("degC", gm.normal(20.0, 2.0), noise=0.1)

    def step(self, dt: float) -> "Warm":
        return Warm(t=self.t)

    @gm.sensor("degC", noise=0.1)
    def read(self) -> float:
        return self.t

twin = gm.Twin("a", Warm, horizon="10 min")
twin.bind("link:read", to="read", unit="degC", noise="0.2 degC")
print(sorted({"pint", "httpx"} & set(sys.modules)))
"""


def test_that_a_twin_in_usual_units_is_declared_without_pint_and_without_a_client(
    tmp_path: Path,
) -> None:
    script = tmp_path / "warm.py"
    script.write_text(MODEL)
    told = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"
