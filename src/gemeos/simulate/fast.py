"""Runs a declared model compiled by numba: the extra ``gemeos[fast]``.

numba is imported when the first model is compiled, never before.
"""

from __future__ import annotations

import hashlib
import importlib.util
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, final

import numpy as np
from jaxtyping import Float, Int64, UInt64
from numpy.typing import DTypeLike
from typing_extensions import override

from gemeos.schema.schema import Schema
from gemeos.simulate.base import Consts, Driven, Members, Moved, MovesEnsembles
from gemeos.simulate.frontend import LoweredModel
from gemeos.simulate.kernels import loaded
from gemeos.simulate.outcome import LEAST_LIVING
from gemeos.simulate.printed_numba import PRINTER, printed
from gemeos.simulate.process import spread_of_rows, steps_covered, streams_of_rows

MOST_OPERATIONS: Final = 5_000
"""Beyond this numba takes half a minute or more to compile."""


@dataclass(frozen=True, slots=True)
class NotCompiled:
    """A model that numba does not run."""

    reason: str


def numba_is_there() -> bool:
    """Whether the extra is installed; nothing is imported to find out."""
    return importlib.util.find_spec("numba") is not None


@final
class FastSimulator(MovesEnsembles):
    """A declared model on arrays ``[twin, row, member]``, one twin after the other, compiled.

    Its calls let other threads run meanwhile. Between float32 models and ``BatchedSimulator``
    there is rounding: none in a step of arithmetic alone, in the order of 1e-7 where exponential,
    logarithm or sine take part. So its ``identity`` is another, as for any change of what is
    computed (contract 11).
    """

    def __init__(self, lowered: LoweredModel, kernels: Path | None) -> None:
        """Compile, or load what ``kernels`` keeps; prefer ``compiled``, which tells what fails."""
        schema = self._schema = lowered.schema
        self.lowered = lowered
        """What was compiled."""
        self.folder = kernels
        """Where it is kept."""
        self._identity = hashlib.sha256(f"{PRINTER} {lowered.fingerprint}".encode()).hexdigest()
        module: Any = loaded(lambda cached: printed(lowered, cached=cached), kernels)
        self._kernels = module
        self._array = partial(owned, schema.precision)
        self._spread = self._array(spread_of_rows(schema))
        self._streams = streams_of_rows(schema)
        self._covered = steps_covered(schema)

    @property
    def schema(self) -> Schema:
        """What is declared."""
        return self._schema

    @property
    def identity(self) -> str:
        """Hash of what is computed, blind to comments and names of locals."""
        return self._identity

    def step(
        self, values: Members, driven: Driven, consts: Consts
    ) -> Float[np.ndarray, "twin state member"]:
        """The states one step later; see ``Simulator.step``."""
        out = self._answers(len(self._schema.states), values)
        given = (self._array(a) for a in (values, driven, consts))
        self._kernels.step(*given, self._room(), out)
        return out

    def observe(
        self, values: Members, driven: Driven, consts: Consts
    ) -> Float[np.ndarray, "twin output member"]:
        """What each output is; see ``Simulator.observe``."""
        return self._observed(values, driven, consts, are_coordinates=False)

    @override
    def moved(
        self,
        members: Float[np.ndarray, "twin row member"],
        driven: Driven,
        consts: Consts,
        keys: UInt64[np.ndarray, " twin"],
        tick: Int64[np.ndarray, " twin"],
        steps: Int64[np.ndarray, " twin"],
    ) -> Moved:
        """Each twin so many steps on; see ``MovesEnsembles.moved``."""
        ensemble = self._array(members)
        out = np.empty_like(ensemble)
        reached = np.array(tick, np.int64)
        failed, lost = np.zeros_like(reached), np.zeros_like(reached)
        self._kernels.moved(
            ensemble,
            self._array(driven),
            self._array(consts),
            owned(np.uint64, keys),
            reached,
            owned(np.int64, steps),
            self._streams,
            np.arange(0, 2 * ensemble.shape[2], 2, dtype=np.uint32),
            self._spread,
            self._covered,
            LEAST_LIVING,
            self._room(),
            np.empty(ensemble.shape[2], ensemble.dtype),
            out,
            failed,
            lost,
        )
        return Moved(out, reached, failed, lost)

    @override
    def observed(
        self,
        members: Float[np.ndarray, "twin row member"],
        driven: Driven,
        consts: Consts,
    ) -> Float[np.ndarray, "twin output member"]:
        """What each output is; see ``MovesEnsembles.observed``."""
        return self._observed(members, driven, consts, are_coordinates=True)

    def _observed(
        self,
        values: Float[np.ndarray, "twin row member"],
        driven: Driven,
        consts: Consts,
        *,
        are_coordinates: bool,
    ) -> Float[np.ndarray, "twin output member"]:
        out = self._answers(len(self._schema.outputs), values)
        given = (self._array(a) for a in (values, driven, consts))
        self._kernels.observe(*given, self._room(), are_coordinates, out)
        return out

    def _answers(
        self, rows: int, values: Float[np.ndarray, "twin any member"]
    ) -> Float[np.ndarray, "twin row member"]:
        return np.empty((values.shape[0], rows, values.shape[2]), self._schema.precision)

    def _room(self) -> Float[np.ndarray, " any"]:
        # New for each call: two threads may call at once.
        return np.empty(self._kernels.WORK, self._schema.precision)


def compiled(lowered: LoweredModel, kernels: Path | None) -> FastSimulator | NotCompiled:
    """The model compiled by numba, or why it is not.

    Args:
        lowered: The model.
        kernels: The folder that keeps what was compiled; None keeps nothing.
    """
    size = len(lowered.step.operations) + len(lowered.observe.operations)
    if size > MOST_OPERATIONS:
        return NotCompiled(
            f"it has {size} operations, and more than {MOST_OPERATIONS} take too long to compile; "
            "an array model (step_batch) is the way to write so many"
        )
    try:
        from numba.core.errors import NumbaError  # noqa: PLC0415 - an extra
    except ImportError as error:
        return NotCompiled(f"numba is installed but cannot be imported: {error}")
    try:
        return FastSimulator(lowered, kernels)
    except (NumbaError, RuntimeError, OSError) as error:  # numba, LLVM, the folder
        return NotCompiled(f"{type(error).__name__}: {' '.join(str(error).split())[:300]}")


def owned(kind: DTypeLike, array: np.ndarray) -> np.ndarray:
    """The array as kernels take it, copied only if it has to be: that kind, contiguous."""
    # Another layout would be another signature, and there is but one. numba tells apart what
    # cannot be written to, too.
    if array.flags.carray and array.dtype == kind:
        return array
    return np.require(array, kind, ("C_CONTIGUOUS", "ALIGNED", "WRITEABLE"))
