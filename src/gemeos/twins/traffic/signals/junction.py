"""All that is known of a signal before it runs: what it may show, where its vehicles come from.

Plain data: it is handed to whatever process holds the lights.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from gemeos.twins.traffic.district import SignalLimits
from gemeos.twins.traffic.network import Network, Program
from gemeos.twins.traffic.signals.approaches import REACH_M, Approach, approaches
from gemeos.twins.traffic.signals.limits import Limits, limits_of
from gemeos.twins.traffic.signals.stages import Stages, as_cabinets, stages_of


@dataclass(frozen=True)
class Controlled:
    """One signal."""

    stages: Stages
    lanes: tuple[Approach, ...]
    """Before its stop lines."""
    program: Program
    """Its own: what runs when nothing else does."""

    @cached_property
    def bare(self) -> tuple[Approach, ...]:
        """The lanes without what lies upstream of them."""
        return tuple(replace(lane, stretches=lane.stretches[:1]) for lane in self.lanes)

    @cached_property
    def cabinet(self) -> Stages:
        """The stages with what its cabinet shows between them when their lengths are ordered."""
        return as_cabinets(self.stages, self.program)

    @property
    def signal(self) -> str:
        """Its name."""
        return self.limits.signal

    @property
    def limits(self) -> Limits:
        """What it must keep."""
        return self.stages.limits


def controlled(
    network: Network,
    settings: Mapping[str, SignalLimits] | None = None,
    *,
    reach_m: float = REACH_M,
) -> dict[str, Controlled]:
    """Every signal of a network that has something to choose: two greens or more in a cycle.

    The others, rings of NEMA among them, are left to SUMO.

    Args:
        network: With its programmes.
        settings: By signal; the usual ones for those that are left out.
        reach_m: How far before the stop lines detectors see.
    """
    found = {}
    for name, signal in network.signals.items():
        program = signal.program
        if not program.is_cycle or sum(p.gives_green for p in program.phases) < 2:
            continue
        limits = limits_of(network, signal, (settings or {}).get(name))
        stages = stages_of(signal.program, limits)
        found[name] = Controlled(
            stages, tuple(approaches(network, signal, reach_m)), signal.program
        )
    return found


def phase_at(program: Program, now: float) -> tuple[str, float]:
    """What a fixed programme shows at that time, and until when."""
    into = (now - program.offset_s) % program.cycle_s
    at = now - into
    for phase in program.phases:
        at += phase.duration_s
        if at > now:
            return phase.state, at
    return program.phases[-1].state, at
