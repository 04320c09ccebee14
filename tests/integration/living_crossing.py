"""The crossing of ``sumo_networks`` as a twin: a demand that nobody is told, and two programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final
from xml.etree import ElementTree as ET

import msgspec

import gemeos as gm
from gemeos.assimilate.es_mda import EsMda
from gemeos.assimilate.mda_schedule import Constant
from gemeos.engines.sumo import Sumo, opened
from gemeos.schema.reading import Reading, Series
from gemeos.testing.contracts.engine import told
from gemeos.units.instant import SECOND, Instant
from tests.integration.sumo_networks import crossing

MINUTE: Final = 60 * SECOND
START: Final = 1_750_000_200 * SECOND
"""A whole five minutes."""
HIDDEN: Final = 480.0
"""Vehicles an hour from the north to the south."""
SENSORS: Final = {"south": "edge.B2B1.count", "beyond": "edge.B1B0.count"}
COUNTED: Final = "vehicles.arrived"


def with_two_programs(folder: Path) -> Sumo:
    """Signal B1 also knows program 2: it hardly lets anybody come from the north."""
    network = crossing(folder)
    root = ET.parse(network.net).getroot()  # noqa: S314 - made here
    (logic,) = [e for e in root.iter("tlLogic") if e.get("id") == "B1"]
    (from_north,) = {
        int(c.get("linkIndex", "-1"))
        for c in root.iter("connection")
        if c.get("tl") == "B1" and c.get("from") == "B2B1" and c.get("to") == "B1B0"
    }
    logic.set("programID", "2")
    for phase in logic.iter("phase"):
        green = phase.get("state", "")[from_north] in "Gg"
        phase.set("duration", "5" if green else phase.get("duration", "3"))
    programs = folder / "programs.add.xml"
    programs.write_text(f"<additional>{ET.tostring(logic, 'unicode')}</additional>")
    return msgspec.structs.replace(network, additional=(*network.additional, str(programs)))


def district(network: Sumo, **more: object) -> gm.EngineModel:
    """What is known of it: everything but how many come from the north."""
    return gm.EngineModel(
        name="crossing",
        opened=lambda: opened(network, limit=30 * SECOND),
        files=[Path(f) for f in (network.net, *network.routes, *network.additional)],
        step="1 min",
        window="5 min",
        stride="5 min",
        average="5 min",
        warm_up="2 min",
        params=[
            gm.EngineParam(
                "demand", "1/hour", gm.lognormal(300, 0.4), sets="flow.south", drift=1e-4
            )
        ],
        controls=[gm.EngineControl("program", sets="signal.B1.program", choices=("0", "2"))],
        sensors=[
            *(gm.EngineSensor(name, "1", of=of, noise=1.0) for name, of in SENSORS.items()),
            gm.EngineSensor("arrived", "1", of=COUNTED, counter=True, noise=0.5, by_chance=True),
        ],
        smoother=EsMda(Constant(2), cut_off=0.0),
        **more,  # type: ignore[arg-type]
    )


def twin_of(model: gm.EngineModel, *, members: int = 12, leads: Sequence[str] = ()) -> gm.Twin:
    """Every sensor is bound."""
    twin = gm.Twin("crossing", model, members=members, horizon="1 h", leads=leads)
    for name in (*SENSORS, "arrived"):
        twin.bind(f"l:{name}", to=name)
    return twin


def log(network: Sumo, minutes: int) -> list[Reading]:
    """What is read of traffic that no member is."""
    rows = []
    with opened(network, limit=30 * SECOND) as real:
        told(real.reset({}, 4711, START - 2 * MINUTE))
        told(real.set({"flow.south": HIDDEN, "signal.B1.program": "0"}))
        told(real.advance(START - MINUTE))
        before = told(real.get([COUNTED]))[COUNTED]
        for minute in range(minutes + 1):
            at = START + minute * MINUTE
            told(real.advance(at))
            now = told(real.get([*SENSORS.values(), COUNTED]))
            rows += [reading(at, name, float(now[of])) for name, of in SENSORS.items()]
            rows.append(reading(at, "arrived", float(now[COUNTED]) - float(before)))
            before = now[COUNTED]
    return rows


def reading(at: Instant, name: str, value: float) -> Reading:
    """Of one of the channels."""
    return Reading(Series("l", name), at, value)


def by_instant(rows: Sequence[Reading]) -> list[list[Reading]]:
    """Those of one instant together."""
    found: Mapping[Instant, list[Reading]] = {}
    for row in rows:
        found.setdefault(row.valid_at, []).append(row)  # type: ignore[attr-defined]
    return list(found.values())
