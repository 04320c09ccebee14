"""What plans are judged without: told beside every advice, because no interval holds it."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from gemeos.runtime.fleet import Fleet
from gemeos.schema.variable import Control, Input


def unmodelled(fleet: Fleet, twin: str, chosen: Collection[str]) -> tuple[str, ...]:
    """One line for each thing; never none.

    Args:
        fleet: Of the twin.
        twin: Its name.
        chosen: What plans set, by name.
    """
    schema = fleet.schema
    # What tells where a control stands goes where the control goes.
    inputs = [v.name for v in schema.driven if _is_from_outside(v) and v.name not in chosen]
    others = [v.name for v in schema.driven if not isinstance(v, Input) and v.name not in chosen]
    moved = [v.name for v in schema.variables if isinstance(v, Control) and v.name in chosen]
    hears = {channel.binding.variable for channel in fleet.channels[fleet.place(twin)]}
    heard, unheard = [n for n in inputs if n in hears], [n for n in inputs if n not in hears]
    told = []
    if heard and fleet.school.inputs is None:
        told.append(f"where inputs go: {_are(heard)} held as last heard")
    elif heard:
        told.append(f"what inputs never did before: {_are(heard)} foreseen from how they went")
    if unheard:
        told.append(f"where inputs go: nothing is heard of {', '.join(unheard)}")
    if others:
        they = "they are" if len(others) > 1 else "it is"
        told.append(f"anybody who sets {', '.join(others)} meanwhile: {they} held")
    if moved:
        told.append(f"how devices carry it out: {_are(moved)} where told, at once and all the time")
    told.append("what the model leaves out: members differ by what it says it does not know")
    return tuple(told)


def _is_from_outside(driven: Input | Control) -> bool:
    return isinstance(driven, Input) and driven.echo is None


def _are(names: Sequence[str]) -> str:
    return f"{', '.join(names)} {'are' if len(names) > 1 else 'is'}"
