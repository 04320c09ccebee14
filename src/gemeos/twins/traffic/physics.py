"""What moves a district's twin: SUMO with the demand that its unknowns say, and signals as set."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from gemeos.assimilate.bridge import Bridge
from gemeos.assimilate.es_mda import EsMda
from gemeos.assimilate.mda_schedule import Constant
from gemeos.engines.hosted import HostedEngine
from gemeos.engines.spec import Value
from gemeos.errors import SchemaError
from gemeos.runtime.engine_model import EngineModel
from gemeos.twins.traffic.calendar import Calendar
from gemeos.twins.traffic.decisions import Cabinets, cabinets, name_of
from gemeos.twins.traffic.demand.assumed import believed
from gemeos.twins.traffic.demand.recorded import read_recorded, sampled
from gemeos.twins.traffic.demand.rhythm import NONE_KNOWN
from gemeos.twins.traffic.demand.seen import Loop
from gemeos.twins.traffic.demand.trial import TODAY, settings_of
from gemeos.twins.traffic.demand.unknowns import USUAL, Unknowns
from gemeos.twins.traffic.district import SPEED, District, read_district
from gemeos.twins.traffic.schema import declared, factors
from gemeos.twins.traffic.sensors import reached, sensors
from gemeos.twins.traffic.signals.inside import opened
from gemeos.twins.traffic.signals.junction import controlled

SMOOTHER: Final = EsMda(Constant(2), cut_off=1.0, local=True)


@dataclass(frozen=True)
class Described:
    """A district, and what a twin of it is made of."""

    district: District
    unknowns: Unknowns
    cabinets: Cabinets
    counts: Mapping[str, str]
    """By detector: the sensor of its count."""
    speeds: Mapping[str, str]
    """The same of its mean speed; empty where the district's detectors tell none."""
    model: EngineModel


def described(
    district: str | Path | District,
    *,
    signals: Sequence[str] | None = None,
    window: str = "10 min",
    stride: str = "5 min",
    warm_up: str = "10 min",
    begins: str | None = None,
) -> Described:
    """The model of a district. Words and errors as of ``twin``."""
    known = district if isinstance(district, District) else read_district(Path(district))
    if not known.detectors:
        raise SchemaError(
            f"{known.name} has no detectors: nothing would be read. `gemeos import traffic` puts "
            "them in where they are to be assumed."
        )
    if known.interval_s != 60.0:
        raise SchemaError(
            f"{known.name} counts over {known.interval_s:g} s; a twin of it goes by the minute. "
            "Have its detectors tell each minute, and say interval_s = 60."
        )
    unknowns = _unknown(known)
    junctions = controlled(known.network, known.limits)
    places = cabinets(junctions, known.limits, signals)
    folder = Path(tempfile.mkdtemp(prefix="gemeos-district-"))
    calendar = None if begins is None else Calendar.of(known, begins)
    rhythm = NONE_KNOWN if calendar is None else calendar.rhythm(known)
    rates = folder / "rates.txt"
    rates.write_text("".join(f"{way.name} {way.hourly!r}\n" for way in unknowns.ways), "utf-8")
    settings = msgspec.structs.replace(
        settings_of(known, unknowns, folder),
        gaps="poisson",
        turns=rhythm.turns,
        course={way.name: rhythm.of(way.edges[0]) for way in unknowns.ways},
    )
    params = name_of(unknowns.names)
    counts = name_of(list(known.detectors), "count_")
    speeds = name_of(list(known.detectors), "speed_") if SPEED in known.channels else {}
    loops = tuple(Loop(i, d.lane) for i, d in known.detectors.items())
    names = tuple(params.values())

    def values(told: Mapping[str, float]) -> Mapping[str, Value]:
        factors = np.array([told[n] for n in names], np.float64)
        return {**unknowns.inputs(factors), **places.rules(told)}

    def engine() -> HostedEngine:
        return opened(settings, junctions)

    # Kept for as long as the model is: SUMO reads its files whenever a simulation begins.
    weakref.finalize(engine, shutil.rmtree, folder, ignore_errors=True)
    model = EngineModel(
        name=name_of([known.name])[known.name],
        opened=engine,
        files=[*map(Path, (settings.net, *settings.additional)), rates],
        step="1 min",
        window=window,
        stride=stride,
        average=stride,
        warm_up=warm_up,
        values=values,
        params=declared(unknowns, params),
        controls=[place.declared for place in places.places],
        sensors=sensors(counts, speeds, known.network),
        smoother=SMOOTHER,
        bridge=Bridge(),
        reach=reached(known.network, unknowns, loops, params, (counts, speeds)),
        begins_at=None if calendar is None else calendar.begin,
    )
    return Described(known, unknowns, places, counts, speeds, model)


def _unknown(known: District) -> Unknowns:
    """The factors, about what the files tell or, where there are counts, about these."""
    ways, doubt = believed(known)
    if not known.counts:
        return factors(ways, doubt)
    counted = sampled(known, ways, doubt, read_recorded(known.counts, known))
    # Where no file tells who drives where, counts make what is assumed as good as a file.
    return factors(counted, TODAY, share=1.0) if known.routes else factors(counted, USUAL)
