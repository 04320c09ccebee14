"""Which plan is in force when a search begins: what was applied, or what somebody says is.

To change has a price, so a plan in force stays unless another is shown to be better. Which one that
is must not be guessed: a search that advised to keep another plan found none of its own, and what
was advised need not have been applied.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, assert_never

from gemeos.act.undertaking import Stage, Undertaking
from gemeos.errors import InputError
from gemeos.foresee.space import Candidate, Value
from gemeos.foresee.verdict import Advice
from gemeos.runtime.optimisation import OptimisationRecord
from gemeos.schema.command import Command, CommandState
from gemeos.schema.variable import text_of

_STANDS: Final = frozenset({Stage.UNDER_WAY, Stage.KEPT})
_PUT_BACK: Final = frozenset({Stage.UNDONE})
"""Controls stand again where they stood before it."""
_LOST: Final = frozenset(
    {
        CommandState.DROPPED,
        CommandState.REFUSED,
        CommandState.NOT_TAKEN,
        CommandState.OVERRIDDEN,
        CommandState.UNDONE,
    }
)


@dataclass(frozen=True, slots=True)
class Present:
    """A plan in force."""

    name: str
    """Of the search or of the plan."""
    sets: Candidate


def said(record: OptimisationRecord) -> Present:
    """The plan in force where somebody says that a search's advice was followed.

    Raises:
        InputError: following it leaves no plan in force.
    """
    match record.advice:
        case Advice.CHANGE:
            return Present(record.name, Candidate.of(record.finalists[0]))
        case Advice.KEEP:
            return Present(record.present, Candidate.of(record.in_force))
        case Advice.NOTHING:
            told = "advised to set nothing, so no plan of it is in force"
        case None:
            told = f"is {record.progress.value} and advised nothing, so no plan of it is in force"
        case _:
            assert_never(record.advice)
    raise InputError(
        f"{record.name} of {record.twin} {told}. Leave `present` out, and what was applied counts; "
        "or name the search whose plan is."
    )


def applied(undertakings: Sequence[Undertaking]) -> Present | None:
    """The plan in force by what was applied; None where none is.

    It is the newest one that was not ended and whose controls nobody has moved since. One that
    sets a control more than once has no values that stand.
    """
    moved: set[str] = set()
    for each in sorted(undertakings, key=lambda u: u.begun_at, reverse=True):
        if each.stage in _STANDS and moved.isdisjoint(each.controls):
            return _standing(each)
        if each.stage not in _PUT_BACK:
            moved.update(each.controls)
    return None


def _standing(undertaking: Undertaking) -> Present | None:
    commands = [i for i in undertaking.issued if not i.is_undo]
    once = len(commands) == len(undertaking.controls)
    if not once or any(i.state in _LOST for i in commands):
        return None
    return Present(
        undertaking.name, Candidate.of({i.command.control: _value(i.command) for i in commands})
    )


def _value(command: Command) -> Value:
    """As a candidate has it: of a choice the text."""
    text = text_of(command.choices, command.value)
    return command.value if text is None else text.text
