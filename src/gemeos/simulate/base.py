"""The ports of whatever moves members on.

``Simulator`` is one model's arithmetic: our compiled declarations and array models alike. ``Steps``
is all that is asked of an ensemble on its way, whoever moves it: ``advance.Stepper`` does so with a
``Simulator``, ``engines.stepper.EngineStepper`` with simulations that somebody else wrote.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, Self, TypeAlias, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Int64, UInt64

from gemeos.ensemble.state import TwinState
from gemeos.schema.schema import Schema
from gemeos.simulate.company import Company

Members: TypeAlias = Float[np.ndarray, "twin variable member"]
"""Natural values of ``schema.estimated``: states, then params."""
Driven: TypeAlias = Float[np.ndarray, "twin driven #member"]
"""Inputs, then controls. The member axis has length 1 where all members are driven alike."""
Consts: TypeAlias = Float[np.ndarray, "twin const"]


class Simulator(Protocol):
    """Moves members on by one step and says what sensors would read.

    Both calls are pure: they change none of their arguments, keep nothing, and draw no random
    numbers. What comes out for one member of one twin depends on that member alone, never on
    which others are in the arrays: that is what makes shard size and the order of members
    irrelevant. A member that cannot go on becomes NaN; it is not an exception.
    Arrays are in ``schema.precision``, in declared units.
    """

    @property
    def schema(self) -> Schema:
        """What is declared."""
        ...

    @property
    def identity(self) -> str:
        """Hash of what is computed. Another identity is another model (contract 11)."""
        ...

    def step(
        self, values: Members, driven: Driven, consts: Consts
    ) -> Float[np.ndarray, "twin state member"]:
        """The states one ``schema.step`` later, without noise."""
        ...

    def observe(
        self, values: Members, driven: Driven, consts: Consts
    ) -> Float[np.ndarray, "twin output member"]:
        """What each of ``schema.outputs`` is in this state, without sensor noise."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Moved:
    """Ensembles some steps on."""

    members: Float[np.ndarray, "twin row member"]
    """As in ``TwinState``."""
    tick: Int64[np.ndarray, " twin"]
    """The instant that each twin came to."""
    failed: Int64[np.ndarray, " twin"]
    """Members that failed on the way and were replaced by a living one's copy."""
    lost: Int64[np.ndarray, " twin"]
    """Members that failed in the step to ``tick`` and left too few to go on from; 0 for a twin
    that went all its steps."""


@runtime_checkable
class HoldsProcesses(Protocol):
    """A simulator that works in processes of its own: nobody knows how long a call of it takes."""

    def lent(self) -> Self:
        """The same, with the same processes, for somebody who may have to stop before others."""
        ...

    def halt(self) -> None:
        """End what was asked of this one, on any thread, with ``StoppedError``.

        Whatever is asked of it afterwards is refused so, too. Those who were lent it go on.
        """
        ...

    def rest(self) -> None:
        """End them; what is asked afterwards begins them anew."""
        ...


@runtime_checkable
class MovesEnsembles(Protocol):
    """A simulator that moves stored ensembles by itself, many steps in one call.

    It does what ``advance.Stepper`` would do with ``Simulator.step``: coordinates, noise, failed
    members, running sums. Some steps in one call are the same, to the last bit, as in several.
    Numbers may differ from the stepper's own by rounding, which its ``identity`` must tell.
    """

    def moved(
        self,
        members: Float[np.ndarray, "twin row member"],
        driven: Driven,
        consts: Consts,
        keys: UInt64[np.ndarray, " twin"],
        tick: Int64[np.ndarray, " twin"],
        steps: Int64[np.ndarray, " twin"],
    ) -> Moved:
        """Each twin so many steps on.

        Args:
            members: Coordinates and running sums, as in ``TwinState``. Not changed.
            driven: Held for all steps.
            consts: One value a twin.
            keys: Of the twins' noise, ``ensemble.noise.twin_key``.
            tick: Where each twin stands.
            steps: How far each goes; 0 stays.
        """
        ...

    def observed(
        self,
        members: Float[np.ndarray, "twin row member"],
        driven: Driven,
        consts: Consts,
    ) -> Float[np.ndarray, "twin output member"]:
        """``Simulator.observe`` of stored ensembles: coordinates and running sums.

        Args:
            members: As for ``moved``.
            driven: As for ``moved``.
            consts: One value a twin.
        """
        ...


@dataclass(frozen=True)
class Crew:
    """What stays the same of a batch of twins while they move: names, keys, constants."""

    names: tuple[str, ...]
    keys: UInt64[np.ndarray, " twin"]
    """Keys of their noise, ``ensemble.noise.twin_key``."""
    consts: Consts

    def take(self, twins: Int64[np.ndarray, " some"]) -> Crew:
        """Those of them."""
        return Crew(tuple(self.names[i] for i in twins), self.keys[twins], self.consts[twins])

    def part(self, which: slice) -> Crew:
        """Some that stand side by side; their arrays are views."""
        return Crew(self.names[which], self.keys[which], self.consts[which])


class Steps(Protocol):
    """Moves stored ensembles on, and tells what is so in them.

    Pure as far as anybody can see: equal states lead to equal states, to the last bit, and no
    state that is held is changed. Some steps in one call are the same as in several.
    """

    @property
    def schema(self) -> Schema:
        """What is declared."""
        ...

    @property
    def told_names(self) -> tuple[str, ...]:
        """Names of the variables that ``told`` answers, in its order."""
        ...

    def told(self, state: TwinState, crew: Crew) -> Float[np.ndarray, "twin variable member"]:
        """Everything that can be asked of the twins: states, params, what drives, outputs."""
        ...

    def observed(
        self, state: TwinState, crew: Crew, members: Float[np.ndarray, "twin row member"]
    ) -> Float[np.ndarray, "twin output member"]:
        """What sensors and virtual sensors are for ``members``, driven as in ``state``."""
        ...

    def step(self, state: TwinState, crew: Crew) -> TwinState:
        """All twins one step on. They must be born.

        Raises:
            TooFewMembersError: too many members failed.
        """
        ...

    def advance(self, state: TwinState, crew: Crew, until: Int64[np.ndarray, " twin"]) -> TwinState:
        """Every twin moved on to its own tick ``until``; one that is there already stays.

        Raises:
            TooFewMembersError: too many members failed.
        """
        ...

    def failing(self, state: TwinState, crew: Crew) -> Bool[np.ndarray, "twin member"]:
        """The members that fail in the step behind ``state``."""
        ...


@runtime_checkable
class GoesInCompany(Steps, Protocol):
    """Steps of members that each cost by themselves, so that some can be run without the others."""

    @property
    def at_once(self) -> int:
        """Members that run side by side."""
        ...

    def alone(self, company: Company) -> Steps:
        """The same for some members of one fork.

        What these give does not depend on who else is run. None takes the place of one that
        failed: who failed or was given up is told by ``company``, and goes no further.
        """
        ...
