"""Whether the continuous states of an FMU are all that it goes on from.

The standard lets an FMU remember more than it tells: what is discrete, the time, whatever its code
keeps. What is declared is believed; the rest is tried out, from the start values. A trial can show
that there is more, never that there is not: a memory that needs a rare event to show is not found.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from gemeos.engines.fmi.motion import NEVER, ModelExchange
from gemeos.engines.fmi.settings import Fmi
from gemeos.engines.fmi.variables import Table
from gemeos.engines.inside import PlaceInside
from gemeos.engines.spec import Role, Spec, Value
from gemeos.units.instant import SECOND

STEPS: Final = 20
"""Of one run, against the same in steps that are each begun anew."""
LATER: Final = 1000 * math.sqrt(2.0)
"""Steps to another time at which it is tried: no period is likely to divide it."""
EQUAL: Final = 1e-6
"""Relative; what differs by less is rounding, or where an event was found."""
MOST_TOLD: Final = 6


class Held(Protocol):
    """What ``declared`` has to know of an FMU."""

    table: Table
    settings: Fmi
    begins: float
    """Its own time, in seconds."""


class Timed(PlaceInside, Protocol):
    """An inside that can be put at another time, too."""

    def place(
        self,
        params: Mapping[str, float],
        held: Mapping[str, float],
        states: Mapping[str, float],
        *,
        time: float | None = None,
    ) -> None:
        """As ``PlaceInside``; ``time`` is its own."""
        ...


def declared(fmu: Held, motion: ModelExchange) -> list[str]:
    """What its description and its first moment say."""
    found = []
    if not fmu.table.states:
        found.append("it has no continuous states")
    elif len(fmu.table.states) != motion.size:
        found.append(
            f"it has {motion.size} continuous states and tells {len(fmu.table.states)} as scalars: "
            "the others are in arrays"
        )
    if fmu.table.discrete and not fmu.settings.memoryless:
        found.append(
            f"discrete variables that may remember: {_some(fmu.table.discrete)}. If they follow "
            "from states and inputs alone, say memoryless = true"
        )
    if motion.next_event != NEVER:
        found.append(f"the time: it plans an event at {motion.next_event:g} s of its own time")
    if fmu.settings.seed_param or not fmu.settings.deterministic:
        found.append("random numbers that it draws")
    return found


def tried(inside: Timed, fmu: Held, spec: Spec) -> list[str]:
    """What shows when the same states are run on in one go, in pieces, and at another time."""
    try:
        return _tried(inside, fmu, spec)
    except Exception as error:  # noqa: BLE001 - the boundary to foreign code
        return [f"it cannot be tried from its start values: {error}"]


def _tried(inside: Timed, fmu: Held, spec: Spec) -> list[str]:
    names = [v.name for v in spec.variables if v.role in {Role.STATE, Role.OUTPUT}]
    states = fmu.table.states
    step_s = spec.step / SECOND
    inside.place({}, {}, {})
    whole, starts = [], []
    for n in range(STEPS):
        starts.append(dict(zip(states, map(float, inside.get(states)), strict=True)))
        inside.advance((n + 1) * spec.step)
        whole.append(inside.get(names))
    inside.place({}, {}, starts[0], time=fmu.begins + LATER * step_s)
    inside.advance(spec.step)
    if differs := _differing(names, whole[0], inside.get(names)):
        return [f"the time: at another it goes on otherwise in {_some(differs)}"]
    for n, (start, expected) in enumerate(zip(starts, whole, strict=True)):
        inside.place({}, {}, start)
        inside.advance(spec.step)
        if differs := _differing(names, expected, inside.get(names)):
            why = f"put where it stood after {n} steps, it goes on otherwise in {_some(differs)}"
            return [f"something that it does not tell: {why}"]
    return []


def _differing(
    names: Sequence[str], expected: Sequence[Value], found: Sequence[Value]
) -> list[str]:
    return [
        name
        for name, one, other in zip(names, expected, found, strict=True)
        if one != other and not _close(one, other)
    ]


def _close(one: Value, other: Value) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        both_lost = math.isnan(one) and math.isnan(other)
        return both_lost or math.isclose(one, other, rel_tol=EQUAL, abs_tol=EQUAL)
    return False


def _some(names: Sequence[str]) -> str:
    more = len(names) - MOST_TOLD
    return ", ".join(names[:MOST_TOLD]) + (f" and {more} more" if more > 0 else "")
