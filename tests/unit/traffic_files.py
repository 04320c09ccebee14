"""A district small enough to be worked by hand: two one-way roads that cross under a signal.

``west`` leads to ``east`` and ``south`` to ``north``; from ``south`` one may turn right into
``east`` too. Pedestrians cross ``east``. Links: 0 and 1 from the south (straight, right), 2 from
the west, 3 the crossing.
"""

from __future__ import annotations

from pathlib import Path

NET = """<net version="1.20">
  <location netOffset="-500.00,-4000.00" convBoundary="0,0,200,200"
    origBoundary="0,0,0,0" projParameter="+proj=utm +zone=32 +ellps=WGS84"/>
  <edge id=":x_0" function="internal">
    <lane id=":x_0_0" index="0" speed="10" length="12.5" shape="101,90 101,102"/></edge>
  <edge id=":x_1" function="internal">
    <lane id=":x_1_0" index="0" speed="6" length="4" shape="101,90 102,93"/></edge>
  <edge id=":x_4" function="internal">
    <lane id=":x_4_0" index="0" speed="6" length="3.5" shape="102,93 110,99"/></edge>
  <edge id=":x_2" function="internal">
    <lane id=":x_2_0" index="0" speed="13.89" length="14" shape="90,99 110,99"/></edge>
  <edge id=":x_c0" function="crossing" crossingEdges="east">
    <lane id=":x_c0_0" index="0" allow="pedestrian" speed="2.78" length="6.4" width="3"/></edge>
  <edge id=":x_w0" function="walkingarea">
    <lane id=":x_w0_0" index="0" allow="pedestrian" speed="2.78" length="3" width="2"/></edge>
  <edge id="west" from="w" to="x" priority="2" name="Weststrasse">
    <lane id="west_0" index="0" speed="13.89" length="90" shape="0,99 90,99"/></edge>
  <edge id="east" from="x" to="e" priority="2">
    <lane id="east_0" index="0" speed="13.89" length="90" disallow="tram rail"/></edge>
  <edge id="south" from="s" to="x" priority="1">
    <lane id="south_0" index="0" speed="8.33" length="90"/>
    <lane id="south_1" index="1" speed="8.33" length="90" allow="bus taxi"/></edge>
  <edge id="north" from="x" to="n" priority="1">
    <lane id="north_0" index="0" speed="8.33" length="90"/></edge>
  <tlLogic id="lights" type="static" programID="0" offset="7">
    <phase duration="31" state="GGrr" minDur="5" maxDur="50"/>
    <phase duration="3" state="yyrr"/>
    <phase duration="00:00:26" state="rrGG"/>
  </tlLogic>
  <junction id="w" type="dead_end" x="0" y="99" incLanes=""/>
  <junction id="x" type="traffic_light" x="100" y="100"
    incLanes="south_0 south_1 west_0 :x_w0_0">
    <request index="0" response="0000" foes="0100"/>
    <request index="2" response="0011" foes="1011"/>
    <request index="1" response="1000" foes="1100"/>
    <request index="3" response="0000" foes="0110"/>
  </junction>
  <junction id=":x_4_0" type="internal" x="102" y="93" incLanes=":x_1_0"/>
  <connection from="south" to="north" fromLane="0" toLane="0" via=":x_0_0" tl="lights"
    linkIndex="0" dir="s" state="o"/>
  <connection from="south" to="east" fromLane="0" toLane="0" via=":x_1_0" tl="lights"
    linkIndex="1" dir="r" state="o"/>
  <connection from="west" to="east" fromLane="0" toLane="0" via=":x_2_0" tl="lights"
    linkIndex="2" dir="s" state="o"/>
  <connection from=":x_1" to="east" fromLane="0" toLane="0" via=":x_4_0" dir="r" state="m"/>
  <connection from=":x_4" to="east" fromLane="0" toLane="0" dir="r" state="M"/>
  <connection from=":x_w0" to=":x_c0" fromLane="0" toLane="0" tl="lights" linkIndex="3" dir="s"
    state="M"/>
</net>
"""
LOOPS = """<additional>
  <e1Detector id="in" lane="west_0" pos="-20" freq="1800" file="out.xml"/>
  <inductionLoop id="up" lane="south_0" pos="30" period="60" file="out.xml"/>
</additional>
"""
PROGRAMS = """<additional>
  <tlLogic id="lights" type="static" programID="night" offset="0">
    <phase duration="20" state="GGrr"/><phase duration="4" state="yyrr"/>
    <phase duration="10" state="rrGG"/>
  </tlLogic>
</additional>
"""
DISTRICT = """name = "Corner"
network = "corner.net.xml"
additional = ["night.add.xml"]
detector_files = ["loops.add.xml"]
begin_s = 25200
interval_s = 60

[channels]
count = { channel = "loop/{detector}/q", unit = "" }
speed = { channel = "loop/{detector}/v", unit = "km/h" }

[limits]
minimum_green_s = 7
source = "by hand"

[signals.lights]
maximum_cycle_s = 120

[[detectors]]
name = "out"
lane = "east_0"
position_m = 45
"""


def corner(folder: Path, **instead: str) -> Path:
    """The folder with all files in it; ``instead`` replaces texts of the description."""
    text = DISTRICT
    for what, by in instead.items():
        assert what in text
        text = text.replace(what, by)
    (folder / "corner.net.xml").write_text(NET)
    (folder / "loops.add.xml").write_text(LOOPS)
    (folder / "night.add.xml").write_text(PROGRAMS)
    (folder / "district.toml").write_text(text)
    return folder
