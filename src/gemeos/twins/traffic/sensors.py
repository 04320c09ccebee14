"""What loops tell a twin, what it tells besides, and which counts tell of which unknown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from gemeos.runtime.engine_model import EngineSensor
from gemeos.twins.traffic.demand.seen import Loop, passing_in, reach_of
from gemeos.twins.traffic.demand.unknowns import Unknowns
from gemeos.twins.traffic.network import Network
from gemeos.twins.traffic.signals.inside import LOST

NOBODY: Final = -1.0
"""What SUMO says of a speed that nobody drove."""
SPEED_NOISE: Final = 6.0
"""m/s by which the mean speed of a minute's vehicles may be wrong beside chance: who comes at red
and who at green, and how sharply they brake and start."""
MODEL_NOISE: Final = 1.5
"""Vehicles by which a count may be wrong beside chance: lanes chosen, ways not thought of."""


def sensors(
    counts: Mapping[str, str], speeds: Mapping[str, str], network: Network
) -> list[EngineSensor]:
    """Counts and mean speeds, by detector and name; and what nobody reads.

    Where nobody passes there is no speed. A member in which nobody does, while somebody has, is
    taken to say what a single vehicle would drive there.

    ``lost`` is what all vehicles together have lost in the last minute, ``delay`` the mean over
    all of each simulation so far.
    """
    return [
        *(
            EngineSensor(
                name,
                "",
                of=f"detector.{loop}.interval_count",
                noise=MODEL_NOISE,
                by_chance=True,
                bounds=(0.0, None),
            )
            for loop, name in counts.items()
        ),
        *(
            EngineSensor(
                name,
                "m/s",
                of=f"detector.{loop}.interval_speed",
                noise=SPEED_NOISE,
                absent=(NOBODY, network.lanes[network.detectors[loop].lane].speed_m_per_s),
                bounds=(0.0, None),
            )
            for loop, name in speeds.items()
        ),
        EngineSensor("delay", "s", of="trips.delay", virtual=True),
        EngineSensor("lost", "s", of=LOST, counter=True, virtual=True),
        EngineSensor("running", "", of="vehicles.running", virtual=True),
        EngineSensor("waiting", "", of="vehicles.waiting", virtual=True),
    ]


def reached(
    network: Network,
    unknowns: Unknowns,
    loops: Sequence[Loop],
    params: Mapping[str, str],
    told: Sequence[Mapping[str, str]],
) -> dict[str, dict[str, float]]:
    """As ``EngineModel.reach``, by the share of a loop's vehicles that a factor is of.

    Args:
        network: Whose.
        unknowns: The factors.
        loops: All.
        params: By factor: its name in the twin.
        told: By detector the sensors of its counts, and those of what else it tells.
    """
    shares = reach_of(unknowns, passing_in(network, unknowns.ways, loops))
    return {
        params[name]: {
            sensors[loop.name]: float(shares[row, column])
            for column, loop in enumerate(loops)
            for sensors in told
            if loop.name in sensors
        }
        for row, name in enumerate(unknowns.names)
    }
