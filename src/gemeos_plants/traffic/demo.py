"""The district of the demo: a grid that SUMO's wheel carries for its game, with loops put in.

It is nobody's city. The network is read where the wheel has it; nothing of it is copied into this
package.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from xml.etree.ElementTree import parse

from gemeos_plants.traffic.district import DistrictError

NETWORK: Final = Path("tools", "game", "grid6", "grid6.net.xml")
BEFORE_M: Final = 30.0


def carried(folder: Path) -> Path:
    """Write the description of the demo's district into a folder; answers the folder.

    Raises:
        DistrictError: SUMO is not installed, or its wheel carries no such network.
    """
    try:
        import sumo  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise DistrictError("SUMO is not installed: pip install 'gemeos[sumo]'.") from error
    net = Path(sumo.SUMO_HOME) / NETWORK
    if not net.is_file():
        raise DistrictError(f"SUMO's wheel carries no {NETWORK}; name a --district.")
    detectors = "\n".join(
        f"[[detectors]]\nname = {json.dumps('loop_' + lane.replace('/', '-'))}\n"
        f"lane = {json.dumps(lane)}\nposition_m = {place:.2f}\n"
        for lane, place in _before_signals(net)
    )
    (folder / "district.toml").write_text(
        'name = "Grid"\nattribution = "Network: Eclipse SUMO, tools/game/grid6, EPL-2.0"\n'
        'sources = ["A network of SUMO\'s game, not a city; detectors are assumed."]\n'
        f"network = {json.dumps(str(net))}\nbegin_s = 0\ninterval_s = 60\n\n{detectors}",
        encoding="utf-8",
    )
    return folder


def main() -> int:
    """Write the description into the folder that is named, for a twin to read."""
    parser = argparse.ArgumentParser(
        prog="python -m gemeos_plants.traffic.demo",
        description="Describe the grid that SUMO's wheel carries as a district.",
    )
    parser.add_argument("folder", type=Path, help="made anew")
    folder = parser.parse_args().folder
    try:
        folder.mkdir(parents=True)
        carried(folder)
    except (DistrictError, FileExistsError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _before_signals(net: Path) -> Iterator[tuple[str, float]]:
    root = parse(net).getroot()  # noqa: S314 -- SUMO's own file
    lengths = {lane.attrib["id"]: float(lane.attrib["length"]) for lane in root.iter("lane")}
    lanes = {
        f"{c.attrib['from']}_{c.attrib['fromLane']}"
        for c in root.iter("connection")
        if "tl" in c.attrib
    }
    for lane in sorted(lanes):
        if not lane.startswith(":"):
            yield lane, max(lengths[lane] - BEFORE_M, lengths[lane] / 2)


if __name__ == "__main__":
    sys.exit(main())
