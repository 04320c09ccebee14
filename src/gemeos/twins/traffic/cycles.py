"""The cycles of a district's signals, as they are drawn: who has green when."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from typing import Final

from gemeos.schema.scene import Cycle, Lights, Shows, Signal, Stretch
from gemeos.twins.traffic.decisions import Cabinets
from gemeos.twins.traffic.network import Network, Program
from gemeos.twins.traffic.network import Signal as OfNetwork
from gemeos.twins.traffic.signals.limits import Limits
from gemeos.twins.traffic.signals.plans import program_of

MOST_WAYS: Final = 3
"""That are named of a group of lights."""
_SHOWN: Final = {"G": Shows.GREEN, "g": Shows.GREEN, "y": Shows.YELLOW, "Y": Shows.YELLOW}
_SHOWN_TOO: Final = {"u": Shows.YELLOW, "o": Shows.OFF, "O": Shows.OFF}


def signals_of(network: Network, cabinets: Cabinets) -> tuple[Signal, ...]:
    """Every signal, those that may be set with what may be set of them."""
    return tuple(_signal(network, signal, cabinets) for signal in network.signals.values())


def _signal(network: Network, signal: OfNetwork, cabinets: Cabinets) -> Signal:
    junction = cabinets.junctions.get(signal.id)
    limits = None if junction is None else junction.limits
    program = signal.program
    if not program.is_cycle:
        told = f"Its programme is of the kind {program.kind}: its rows do not make one cycle."
        return Signal(signal.id, None, {}, program.id, told)
    controls = {p.control: p.default for p in cabinets.places if p.signal == signal.id}
    told = (
        f"Its programme is {program.kind}: greens last as its traffic asks. Drawn as its file has "
        "it."
        if program.adapts
        else ""
    )
    return Signal(signal.id, _cycle(network, signal, cabinets, limits), controls, program.id, told)


def _cycle(
    network: Network, signal: OfNetwork, cabinets: Cabinets, limits: Limits | None
) -> Callable[[Mapping[str, float]], Cycle]:
    def cycle(told: Mapping[str, float]) -> Cycle:
        plan = cabinets.plans(told).get(signal.id) if told else None
        if plan is None:
            return cycle_of(network, signal, signal.program, limits)
        cabinet = cabinets.junctions[signal.id].cabinet
        return cycle_of(network, signal, program_of(cabinet, plan), limits)

    return cycle


def cycle_of(
    network: Network, signal: OfNetwork, program: Program, limits: Limits | None = None
) -> Cycle:
    """A programme as it is drawn; lights that never differ are one group.

    Args:
        network: Whose names are told.
        signal: Whose links the letters are.
        program: What is drawn.
        limits: Whose least greens are told; none where left out.
    """
    by_course: dict[tuple[Shows, ...], list[int]] = {}
    for link in range(len(program.phases[0].state)):
        if _is_used(signal, link):
            course = tuple(_shows(phase.state[link]) for phase in program.phases)
            by_course.setdefault(course, []).append(link)
    lights = []
    for course, links in by_course.items():
        least = None if limits is None else max(limits.minimum_green_s[link] for link in links)
        lights.append(
            Lights(
                numbers(links),
                _told(network, signal, links),
                _stretches(program, course),
                least or None,
            )
        )
    return Cycle(program.cycle_s, program.offset_s, tuple(lights))


def numbers(links: Sequence[int]) -> str:
    """Numbers in rising order, as in ``0-2, 5``."""
    rows = groupby(enumerate(links), key=lambda row: row[1] - row[0])
    runs = [[link for _, link in row] for _, row in rows]
    return ", ".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else f"{run[0]}" for run in runs)


def _shows(letter: str) -> Shows:
    return _SHOWN.get(letter) or _SHOWN_TOO.get(letter, Shows.RED)


def _stretches(program: Program, course: tuple[Shows, ...]) -> tuple[Stretch, ...]:
    found, at = [], 0.0
    rows = zip(course, program.phases, strict=True)
    for shows, rows_of in groupby(rows, key=lambda row: row[0]):
        lasts = sum(phase.duration_s for _, phase in rows_of)
        found.append(Stretch(at, at + lasts, shows))
        at += lasts
    return tuple(found)


def _is_used(signal: OfNetwork, link: int) -> bool:
    """Whether anything is held by that light."""
    return bool(signal.links[link]) or any(link in c.links for c in signal.crossings)


def _told(network: Network, signal: OfNetwork, links: list[int]) -> str:
    """From which roads they let pass, and whether they are of those who walk."""
    held = [c for link in links for c in signal.links[link]]
    roads = list(dict.fromkeys(_name(network, c.from_edge) for c in held))
    crossings = [c for c in signal.crossings if set(links) & set(c.links)]
    told = [f"from {', '.join(roads[:MOST_WAYS])}"] if roads else []
    if len(roads) > MOST_WAYS:
        told[0] += f" and {len(roads) - MOST_WAYS} more"
    if crossings:
        told.append("crossing" if len(crossings) == 1 else f"{len(crossings)} crossings")
    return "; ".join(told)


def _name(network: Network, edge: str) -> str:
    """As people call the road, else its id."""
    return network.edges[edge].name or edge
