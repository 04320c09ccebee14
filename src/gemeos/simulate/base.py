"""The port of whatever moves members on: our compiled declarations and array models alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, TypeAlias, runtime_checkable

import numpy as np
from jaxtyping import Float, Int64, UInt64

from gemeos.schema.schema import Schema

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
