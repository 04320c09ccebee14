"""Array models: the second way to write one, for matrices and for parts known only from files."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeAlias, final

import numpy as np
from jaxtyping import Float

from gemeos.errors import SchemaError
from gemeos.schema.schema import Schema
from gemeos.simulate.base import Consts, Driven, Members
from gemeos.simulate.outcome import FirstError, blank_failed, end_failed
from gemeos.simulate.written import written_hash

ADAPTER: Final = "arrays 1"

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]


class ArrayModel(Protocol):
    """What a user writes: one step, and what sensors read, for all members of a twin at once.

    Arrays are natural values in declared units, ``[variable, member]``: ``values`` has states,
    then params; ``driven`` has inputs, then controls, and one column if all members are driven
    alike; ``consts`` is flat. They cannot be written to. Both calls must be pure, and must not
    mix members.

    Two more attributes may be there. ``batched = True`` asks for all twins at once: every array
    then has the twin as its first axis. ``identity`` is a text that changes whenever other
    numbers would come out; without it the source of the class and its attributes are hashed.
    """

    @property
    def schema(self) -> Schema:
        """What is declared."""
        ...

    def step_batch(self, values: Array, driven: Array, consts: Array, dt: float) -> Array:
        """States one step later, ``[state, member]``; ``dt`` is in seconds."""
        ...

    def observe_batch(self, values: Array, driven: Array, consts: Array) -> Array:
        """Sensors, then virtual sensors, ``[output, member]``."""
        ...


@final
class ArraySimulator:
    """Runs an array model, and keeps its failures to the members that fail."""

    def __init__(self, model: ArrayModel) -> None:
        """Look at what the model has.

        Raises:
            SchemaError: a method or the schema is missing, or nothing tells the identity of what
                the model holds.
        """
        name = type(model).__name__
        for wanted in ("schema", "step_batch", "observe_batch"):
            if not hasattr(model, wanted):
                raise SchemaError(
                    f"{name} has no {wanted!r}. A model is a class under @gm.model(dt=...), or one "
                    "with schema, step_batch and observe_batch."
                )
        schema = self._schema = model.schema
        batched = bool(getattr(model, "batched", False))
        self._first_error = error = FirstError()
        dt = schema.step_s
        self._step = _Guarded(
            f"{name}.step_batch",
            lambda values, driven, consts: model.step_batch(values, driven, consts, dt),
            len(schema.states),
            schema.precision,
            batched,
            error,
        )
        self._observe = _Guarded(
            f"{name}.observe_batch",
            model.observe_batch,
            len(schema.outputs),
            schema.precision,
            batched,
            error,
        )
        given = getattr(model, "identity", None)
        told = f"{ADAPTER} {schema.fingerprint} {batched}"
        if given is None:
            self._identity = written_hash(type(model), f"{told} {_held(model)}")
        else:
            self._identity = hashlib.sha256(f"{told} {given}".encode()).hexdigest()

    @property
    def schema(self) -> Schema:
        """What is declared."""
        return self._schema

    @property
    def identity(self) -> str:
        """Hash of the schema, and of the model's own identity or else of its source and data."""
        return self._identity

    @property
    def first_error(self) -> str | None:
        """Where and how the model failed first, or None."""
        return self._first_error.text

    def step(
        self, values: Members, driven: Driven, consts: Consts
    ) -> Float[np.ndarray, "twin state member"]:
        """The states one step later.

        Raises:
            SchemaError: ``step_batch`` returned another shape than it should.
        """
        states = self._step.all_twins(values, driven, consts)
        end_failed(values, states)
        return states

    def observe(
        self, values: Members, driven: Driven, consts: Consts
    ) -> Float[np.ndarray, "twin output member"]:
        """What each output is.

        Raises:
            SchemaError: ``observe_batch`` returned another shape than it should.
        """
        outputs = self._observe.all_twins(values, driven, consts)
        blank_failed(values, outputs)
        return outputs


@dataclass(frozen=True, slots=True)
class _Guarded:
    """One of the model's two methods. What it raises is blamed on the members that cause it."""

    name: str
    method: Callable[[Array, Array, Array], Array]
    rows: int
    precision: np.dtype[np.floating]
    batched: bool
    error: FirstError

    def all_twins(
        self, values: Members, driven: Driven, consts: Consts
    ) -> Float[np.ndarray, "twin row member"]:
        """Every row of every twin; NaN for members without which the method does not raise."""
        if self.batched:
            whole = self._tried(values, driven, consts, "all twins")
            if whole is not None:
                return whole
        twins, _, members = values.shape
        out = np.empty((twins, self.rows, members), self.precision)
        for twin in range(twins):
            one = slice(twin, twin + 1)
            out[one] = self._one_twin(values[one], driven[one], consts[one], f"twin {twin}")
        return out

    def _one_twin(
        self, values: Members, driven: Driven, consts: Consts, where: str
    ) -> Float[np.ndarray, "1 row member"]:
        result = self._tried(values, driven, consts, where)
        if result is not None:
            return result
        members = values.shape[2]
        alike = driven.shape[2] == 1
        sound = np.array(
            [
                self._tried(
                    values[:, :, i : i + 1],
                    driven if alike else driven[:, :, i : i + 1],
                    consts,
                    f"{where}, member {i}",
                )
                is not None
                for i in range(members)
            ]
        )
        if sound.any():
            # A sound member stands in for each failing one, so that the arrays keep their shape:
            # matrix products may round differently in another.
            places = np.where(sound, np.arange(members), np.argmax(sound))
            result = self._tried(
                values[:, :, places], driven if alike else driven[:, :, places], consts, where
            )
        if result is None:
            return np.full((1, self.rows, members), np.nan, self.precision)
        result[:, :, ~sound] = np.nan
        return result

    def _tried(
        self, values: Members, driven: Driven, consts: Consts, where: str
    ) -> Float[np.ndarray, "twin row member"] | None:
        """The method's answer as an array of our own; None if it raises."""
        given = [_read_only(a if self.batched else a[0]) for a in (values, driven, consts)]
        try:
            with np.errstate(all="ignore"):
                result = np.array(self.method(*given), self.precision)
        except Exception as error:  # noqa: BLE001 - the boundary to user code
            self.error.note(error, where)
            return None
        wanted = (values.shape[0], self.rows, values.shape[2])
        if result.shape != (wanted if self.batched else wanted[1:]):
            axes = "[twin, row, member]" if self.batched else "[row, member]"
            raise SchemaError(
                f"{self.name} returned an array of shape {result.shape}; {axes} is "
                f"{wanted if self.batched else wanted[1:]} here."
            )
        return result.reshape(wanted)


def _read_only(array: Array) -> Array:
    view = array.view()
    view.flags.writeable = False
    return view


def _held(model: object) -> str:
    """What an instance holds besides its class, as text that changes when that does.

    Raises:
        SchemaError: it holds something of which that cannot be told.
    """
    told = []
    for name, held in sorted(vars(model).items()):
        match held:
            case np.ndarray() if held.dtype.kind in "biuf":
                inside = hashlib.sha256(np.ascontiguousarray(held).tobytes()).hexdigest()
                told.append(f"{name}: {held.dtype} {held.shape} {inside}")
            case bool() | int() | float() | str() | Schema():
                told.append(f"{name}: {held!r}")
            case _:
                raise SchemaError(
                    f"{type(model).__name__}.{name} is a {type(held).__name__}: nothing tells "
                    "when it changes. Give the model an 'identity', a text that changes with it."
                )
    return "; ".join(told)
