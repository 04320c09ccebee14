"""Runs a declared model's methods as the user wrote them, one member at a time.

The oracle that every printed form is compared with, the place to set a breakpoint, and the mode
``compile=False``. Here user code meets Gemeos, so here its exceptions end: what one member raises
is that member's failure.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias, final

import numpy as np
from jaxtyping import Float

from gemeos.schema.declare import declaration_of
from gemeos.schema.schema import Schema
from gemeos.simulate.base import Consts, Driven, Members
from gemeos.simulate.outcome import FirstError, blank_failed, end_failed
from gemeos.simulate.written import written_hash

RUNNER: Final = "members 1"

_Call: TypeAlias = Callable[[Any], Sequence[float]]
"""From a member to the rows that it gives."""


@final
class MembersSimulator:
    """A declared model, called member by member with Python's own floats."""

    def __init__(self, cls: type) -> None:
        """``cls`` is decorated with ``model``; its source is not needed."""
        self._cls = cls
        self._declaration = declaration_of(cls)
        schema = self._declaration.schema
        variables = (*schema.estimated, *schema.driven, *schema.consts)
        self._names = [v.name for v in variables]
        self._first_error = FirstError()
        self._identity = written_hash(cls, f"{RUNNER} {schema.fingerprint}")

    @property
    def schema(self) -> Schema:
        """What is declared."""
        return self._declaration.schema

    @property
    def identity(self) -> str:
        """Hash of the schema and of the methods' source, with helpers of their own package."""
        return self._identity

    @property
    def first_error(self) -> str | None:
        """Where and how a member failed first, or None."""
        return self._first_error.text

    def step(
        self, values: Members, driven: Driven, consts: Consts
    ) -> Float[np.ndarray, "twin state member"]:
        """The states one step later; a member whose step raises is NaN."""
        cls, method, dt = self._cls, self._declaration.step, self.schema.step_s
        names = [v.name for v in self.schema.states]

        def moved(member: object) -> list[float]:
            ahead = method(member, dt)
            if type(ahead) is not cls:
                raise TypeError(f"step returned {ahead!r} instead of {cls.__name__}(...).")
            return [float(vars(ahead)[name]) for name in names]

        states = self._each([moved], len(names), values, driven, consts)
        end_failed(values, states)
        return states

    def observe(
        self, values: Members, driven: Driven, consts: Consts
    ) -> Float[np.ndarray, "twin output member"]:
        """What each output is; one whose method raises is NaN, the member's others are not."""
        calls = [_reading(method) for method in self._declaration.outputs]
        outputs = self._each(calls, 1, values, driven, consts)
        blank_failed(values, outputs)
        return outputs

    def _each(
        self, calls: list[_Call], rows: int, values: Members, driven: Driven, consts: Consts
    ) -> Float[np.ndarray, "twin row member"]:
        """``rows`` rows from each of ``calls`` for each member; NaN where one raises."""
        twins, _, members = values.shape
        out = np.full((twins, rows * len(calls), members), np.nan, self.schema.precision)
        everyone = np.broadcast_to(driven, (twins, driven.shape[1], members))
        with np.errstate(all="ignore"):
            for twin in range(twins):
                for i in range(members):
                    if not np.isfinite(values[twin, :, i]).all():
                        continue
                    known = [*values[twin, :, i], *everyone[twin, :, i], *consts[twin]]
                    member: object = object.__new__(self._cls)
                    vars(member).update(zip(self._names, map(float, known), strict=True))
                    for place, call in enumerate(calls):
                        part = slice(place * rows, (place + 1) * rows)
                        try:
                            out[twin, part, i] = call(member)
                        except Exception as error:  # noqa: BLE001 - the boundary to user code
                            self._first_error.note(error, f"twin {twin}, member {i}")
        return out


def _reading(method: Callable[[Any], float]) -> _Call:
    return lambda member: [float(method(member))]
