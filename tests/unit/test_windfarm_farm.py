"""A wind farm as files describe it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gemeos.errors import SchemaError, UnknownNameError
from gemeos.twins.windfarm import farm, read_farm, twin

LA_HAUTE_BORNE = Path(__file__).parents[2] / "src/gemeos/twins/windfarm/farms/la_haute_borne"


def other_farm(folder: Path) -> Path:
    """Three turbines of another make, other channels and units, and no temperature."""
    fitted = (LA_HAUTE_BORNE / "farm.toml").read_text()
    fitted = fitted[fitted.index("[fitted]") : fitted.index("[[turbines]]")]
    (folder / "curve.csv").write_text(
        "speed_m_per_s,power_kw,thrust_coefficient\n0,0,0\n3,0,0.8\n12,3000,0.6\n25,3000,0.2\n"
    )
    path = folder / "farm.toml"
    path.write_text(
        'name = "Elsewhere"\ninterval_s = 600\n\n[channels]\n'
        'power = { channel = "wtg/{turbine}/mw", unit = "MW" }\n'
        'wind = { channel = "wtg/{turbine}/ws", unit = "km/h" }\n\n'
        "[types.E3]\nhub_height_m = 100\nrotor_diameter_m = 110\nrated_power_kw = 3000\n"
        f'curve = "curve.csv"\n\n{fitted}\n'
        + "".join(
            f'[[turbines]]\nname = "T{i}"\ntype = "E3"\nlatitude_deg = 50.0\n'
            f"longitude_deg = {8.0 + 0.01 * i}\n\n"
            for i in range(3)
        )
    )
    return path


def test_that_turbines_of_la_haute_borne_stand_as_far_apart_as_on_the_map() -> None:
    place = farm("la_haute_borne").east_north_m
    apart = np.hypot(*(place[:, None] - place[None, :]).transpose(2, 0, 1))
    # Great-circle distances by the haversine formula, worked apart, in metres.
    for i, j, metres in ((0, 3, 421), (3, 1, 436), (1, 2, 575), (0, 1, 817), (0, 2, 1332)):
        assert apart[i, j] == pytest.approx(metres, abs=1.0)


def test_that_another_farm_needs_no_python(tmp_path: Path) -> None:
    made = twin("elsewhere", farm=str(other_farm(tmp_path)), link="hub")
    series = [str(b.series) for b in made.bindings]
    assert series.count("hub/wtg/T1/mw") == 2
    assert {b.unit for b in made.bindings} == {"MW", "km/h"}
    assert {b.variable for b in made.bindings if "T2" in str(b.series)} == {
        "T2.power",
        "T2.heard_power",
        "T2.wind",
        "T2.heard_wind",
    }
    assert {p.name for p in made.schema.parts if p.type == "turbine"} == {"T0", "T1", "T2"}


def test_that_a_farm_is_found_by_its_folder_too(tmp_path: Path) -> None:
    other_farm(tmp_path)
    assert farm(str(tmp_path)).name == "Elsewhere"


def test_that_an_unknown_farm_is_told_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="la_haute_borne"):
        farm("la_haute_bourne")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('type = "E3"', 'type = "E9"', "E9"),
        ('name = "T1"', 'name = "T0"', "twice"),
        ("rotor_diameter_m = 110", "rotor_diameter_m = 0", "positive"),
        ('"wtg/{turbine}/ws"', '"wind"', "turbine"),
        ("wind_noise = ", "wind_nois = ", "wind_noise"),
        ("[types.E3]", "[typen.E3]", "types"),
    ],
)
def test_that_a_description_that_does_not_fit_is_refused(
    tmp_path: Path, old: str, new: str, told: str
) -> None:
    path = other_farm(tmp_path)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(SchemaError, match=told):
        read_farm(path)


def test_that_a_curve_must_rise_in_wind(tmp_path: Path) -> None:
    path = other_farm(tmp_path)
    (tmp_path / "curve.csv").write_text(
        "speed_m_per_s,power_kw,thrust_coefficient\n0,0,0\n12,3000,0.6\n3,0,0.8\n"
    )
    with pytest.raises(SchemaError, match="rising"):
        read_farm(path)
