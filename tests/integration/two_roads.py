"""Two roads that join, made by SUMO's own tools: known traffic by chance, and unknown demand."""

from __future__ import annotations

import subprocess
from pathlib import Path

from gemeos.engines.sumo import Sumo
from tests.integration.sumo_networks import sumo_program

NODES = """<nodes>
  <node id="west" x="0" y="0"/> <node id="south" x="600" y="-600"/>
  <node id="join" x="600" y="0" type="priority"/> <node id="east" x="1400" y="0"/>
</nodes>"""
EDGES = """<edges>
  <edge id="main" from="west" to="join" priority="3" numLanes="1" speed="13.9"/>
  <edge id="side" from="south" to="join" priority="1" numLanes="1" speed="13.9"/>
  <edge id="out" from="join" to="east" priority="3" numLanes="2" speed="13.9"/>
</edges>"""
CONNECTIONS = """<connections>
  <connection from="main" to="out" fromLane="0" toLane="1"/>
  <connection from="side" to="out" fromLane="0" toLane="0"/>
</connections>"""
ROUTES = """<routes>
  <vType id="car" sigma="0.6" speedFactor="normc(1,0.1,0.6,1.4)"/>
  <flow id="known_main" type="car" from="main" to="out" begin="0" end="36000" probability="0.04"/>
  <flow id="known_side" type="car" from="side" to="out" begin="0" end="36000" probability="0.03"/>
</routes>"""


def two_roads(folder: Path) -> Sumo:
    """Inputs ``flow.main`` and ``flow.side`` come on top of the traffic by chance."""
    nodes, edges, net = folder / "two.nod.xml", folder / "two.edg.xml", folder / "two.net.xml"
    lanes, routes = folder / "two.con.xml", folder / "two.rou.xml"
    nodes.write_text(NODES)
    edges.write_text(EDGES)
    lanes.write_text(CONNECTIONS)
    routes.write_text(ROUTES)
    subprocess.run(
        [sumo_program("netconvert"), "-n", nodes, "-e", edges, "-x", lanes, "-o", net],
        check=True,
        capture_output=True,
        timeout=50,
    )
    return Sumo(
        net=str(net),
        routes=(str(routes),),
        flows={"main": ("main", "out"), "side": ("side", "out")},
    )
