"""A small network with signals, traffic and detectors, made by SUMO's own tools."""

from __future__ import annotations

import subprocess
from importlib.util import find_spec
from pathlib import Path

from gemeos.engines.sumo import Sumo
from gemeos.engines.sumo.settings import Gaps
from tests.conftest import missing

DETECTORS = """<additional>
  <inductionLoop id="loop" lane="A1B1_0" pos="-20" period="60" file="NUL"/>
  <laneAreaDetector id="queue" lane="B0B1_0" pos="0" endPos="-1" period="60" file="NUL"/>
</additional>"""
ROUTES = """<routes>
  <vType id="car" sigma="0.6" speedFactor="normc(1,0.1,0.6,1.4)"/>
  <flow id="east" type="car" from="A1B1" to="B1C1" begin="0" end="3600" probability="0.25"/>
  <flow id="north" type="car" from="B0B1" to="B1B2" begin="0" end="3600" probability="0.15"/>
</routes>"""


def sumo_program(name: str) -> Path:
    """One of those in SUMO's wheel."""
    if find_spec("libsumo") is None:
        missing("libsumo, of the extra gemeos[sumo]")
    import sumo  # noqa: PLC0415 - an extra

    return Path(sumo.SUMO_HOME, "bin", name)


def crossing(folder: Path, *, mesoscopic: bool = False, gaps: Gaps = "even") -> Sumo:
    """A grid of three by three junctions with signals, 200 m apart; vehicles come by chance."""
    net = folder / "grid.net.xml"
    subprocess.run(
        [
            *(sumo_program("netgenerate"), "--grid", "--grid.number", "3", "--grid.length", "200"),
            *("--default-junction-type", "traffic_light", "--default.lanenumber", "1"),
            *("--output-file", net),
        ],
        check=True,
        capture_output=True,
        timeout=50,
    )
    routes, detectors = folder / "grid.rou.xml", folder / "grid.add.xml"
    routes.write_text(ROUTES)
    detectors.write_text(DETECTORS.replace("NUL", str(folder / "detectors.xml")))
    return Sumo(
        net=str(net),
        routes=(str(routes),),
        additional=() if mesoscopic else (str(detectors),),
        mesoscopic=mesoscopic,
        flows={"south": ("B2B1", "B1B0")},
        gaps=gaps,
        options=("--meso-junction-control", "true") if mesoscopic else (),
    )
