"""The port of whatever moves members on: our compiled declarations and array models alike."""

from __future__ import annotations

from typing import Protocol, TypeAlias

import numpy as np
from jaxtyping import Float

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
