"""What rules at signals are worth: whole runs of SUMO, with all that is promised of signals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, TypeVar

import msgspec
import numpy as np
from jaxtyping import Float64

from gemeos.engines.hosted import HostedEngine
from gemeos.engines.outcome import Outcome, Told
from gemeos.engines.spec import Value
from gemeos.errors import EngineError
from gemeos.twins.traffic.signals.checker import Violation, violations
from gemeos.twins.traffic.signals.inside import LONGEST
from gemeos.twins.traffic.signals.junction import Controlled
from gemeos.twins.traffic.signals.limits import Log
from gemeos.twins.traffic.signals.pedestrians import Delay, delay, together
from gemeos.twins.traffic.signals.rules import Rule, written
from gemeos.units.instant import SECOND, Span

USUAL_WORKERS: Final = 2
HOUR_S: Final = 3600
PIECE_S: Final = 300
"""An engine's time limit is for one call: a whole hour of a jammed network would be too much."""
DELAY: Final = "trips.delay"
NEVER: Final = "vehicles.waiting"

_T = TypeVar("_T")


@dataclass(frozen=True)
class Run:
    """One run from the beginning."""

    delay_s: float
    """Time loss and departure delay, mean of all trips that should have begun; of those that did
    not, the time since."""
    never_began: int
    """Trips that found no room."""
    longest_wait_s: float
    """That any vehicle stood in all of its trip, or waited to depart."""
    pedestrians: Delay | None
    violations: tuple[Violation, ...]


def told(outcome: Outcome[_T]) -> _T:
    """The value.

    Raises:
        EngineError: it is none.
    """
    if not isinstance(outcome, Told):
        raise EngineError("SUMO", f"it {outcome}")
    return outcome.value


def policies(rules: Mapping[str, Rule]) -> dict[str, Value]:
    """Rules by signal as controls."""
    return {f"signal.{name}.policy": written(rule) for name, rule in rules.items()}


def run(
    engine: HostedEngine,
    junctions: Mapping[str, Controlled],
    rules: Mapping[str, Rule],
    seed: int,
    seconds: int = HOUR_S,
) -> Run:
    """Run from the beginning with these rules.

    Args:
        engine: Of ``inside.opened``; it is left as it was.
        junctions: Its signals.
        rules: By signal; the others run their own programmes.
        seed: Of SUMO.
        seconds: How long.

    Raises:
        EngineError: SUMO failed.
    """
    with engine.another() as one:
        told(one.reset({}, seed, 0))
        told(one.set(policies(rules)))
        for at in range(PIECE_S, seconds + PIECE_S, PIECE_S):
            told(one.advance(min(at, seconds) * SECOND))
        read = told(one.get([DELAY, NEVER, LONGEST]))
        lights = shown(one, junctions)
    walked: list[Delay] = []
    for name, junction in junctions.items():
        log = lights[name]
        if (waits := delay(junction.limits, log, log[0][0] + seconds)) is not None:
            walked.append(waits)
    return Run(
        float(read[DELAY]),
        int(read[NEVER]),
        float(read[LONGEST]),
        together(walked),
        tuple(breaches(junctions, lights, seconds)),
    )


def shown(engine: HostedEngine, junctions: Mapping[str, Controlled]) -> dict[str, Log]:
    """What each signal has shown since the engine was reset.

    Raises:
        EngineError: SUMO failed.
    """
    logs = {name: f"signal.{name}.shown" for name in junctions}
    read = told(engine.get([*logs.values()]))
    return {
        name: msgspec.json.decode(str(read[log]), type=list[tuple[float, str]])
        for name, log in logs.items()
    }


def breaches(
    junctions: Mapping[str, Controlled], lights: Mapping[str, Log], seconds: float
) -> list[Violation]:
    """All limits that lights broke which were ``shown`` for so long."""
    return [
        each
        for name, junction in junctions.items()
        for each in violations(junction.limits, lights[name], lights[name][0][0] + seconds)
    ]


def runs(
    engine: HostedEngine,
    junctions: Mapping[str, Controlled],
    rules: Mapping[str, Rule],
    seeds: Sequence[int],
    *,
    seconds: int = HOUR_S,
    workers: int = USUAL_WORKERS,
) -> list[Run]:
    """The same with each seed, some at once."""
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(lambda s: run(engine, junctions, rules, s, seconds), seeds))


def delays(of: Sequence[Run]) -> Float64[np.ndarray, " seed"]:
    """Seconds, seed by seed."""
    return np.array([r.delay_s for r in of])


def lost_s(engine: HostedEngine) -> float:
    """Vehicle seconds that were lost so far, of all trips.

    Raises:
        EngineError: SUMO failed.
    """
    names = (DELAY, NEVER, "vehicles.departed")
    read = told(engine.get(names))
    return float(read[DELAY]) * (int(read[NEVER]) + int(read["vehicles.departed"]))


def advanced(engine: HostedEngine, span: Span) -> None:
    """Run on.

    Raises:
        EngineError: SUMO failed.
    """
    told(engine.advance(engine.now + span))
