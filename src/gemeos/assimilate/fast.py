"""What follows the step, compiled by numba: the extra ``gemeos[fast]``.

numba is imported when the first cycle is made, never before.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final, final

import numpy as np
from jaxtyping import Bool, Float, Float64, Int64

from gemeos.assimilate.analyst import SPIKING_VARIANCE, Analyst, InNumpy
from gemeos.assimilate.base import Assimilator
from gemeos.assimilate.bound import limits
from gemeos.assimilate.esrf import SerialSquareRoot
from gemeos.assimilate.inflate import AdaptiveRelaxation, Inflation, RelaxToPriorSpread
from gemeos.assimilate.observe import Observed, predicted, told
from gemeos.assimilate.printed_analysis import OF_A_READING, PRINTER, VECTOR, printed
from gemeos.assimilate.recover import recovered
from gemeos.ensemble.state import NEVER, TwinState
from gemeos.schema.schema import Schema
from gemeos.simulate.base import Crew, Steps
from gemeos.simulate.fast import numba_is_there, owned
from gemeos.simulate.kernels import loaded, usual_folder

logger = logging.getLogger(__name__)

AT_ONCE_BYTES: Final = 512 << 10
"""Members of so many bytes go through model and filter before the next: they and what belongs to
them stay in the second cache, 1 to 2 MB on processors of today."""


@final
class Compiled:
    """``InNumpy`` of a serial square-root filter, one twin after the other.

    Its calls let other threads run meanwhile. Between it and ``InNumpy`` there is rounding, in
    the order of 1e-7 of a float32 ensemble's spread: its ``identity`` tells (contract 11).
    """

    def __init__(self, assimilator: SerialSquareRoot, schema: Schema, kernels: Path | None) -> None:
        """Compile, or load what ``kernels`` keeps; prefer ``analyst``, which tells what fails."""
        self._assimilator = assimilator
        self._schema = schema
        precision = schema.precision
        self._kernels: Any = loaded(
            lambda cached: printed(precision, SPIKING_VARIANCE, cached=cached), kernels
        )
        self._array = partial(owned, precision)
        self._settings = _settings(assimilator.inflation)
        self._least, self._most = (self._array(bound) for bound in limits(schema))
        self._garrote = np.zeros(schema.rows, precision)
        self._garrote[list(assimilator.params)] = 1
        self._wraps = np.array([s.wraps or 0.0 for s in schema.sensors], np.float64)

    @property
    def identity(self) -> str:
        """The filter's, and that it is compiled."""
        return f"{self._assimilator.identity}/{PRINTER}"

    def twins_at_once(self, state: TwinState) -> int:
        """As many as stay in the cache."""
        _, rows, size = state.members.shape
        return max(AT_ONCE_BYTES // (rows * size * state.members.itemsize), 1)

    def __call__(
        self,
        stepper: Steps,
        before: TwinState,
        state: TwinState,
        crew: Crew,
        read: Observed,
        room: TwinState | None = None,
    ) -> TwinState:
        """The twins after what was read; see ``Analyst``."""
        state, is_lost = self._prepared(state, crew)
        expected, place = self._expected(stepper, before, state, crew, read)
        value, usable = told(self._schema, state, read)
        _, rows, size = state.members.shape
        readings, channels = read.channel.shape[1], state.monitors.shape[1]
        after = replace(
            state,
            members=state.members if room is None else room.members,
            monitors=np.empty_like(state.monitors) if room is None else room.monitors,
            relaxation=np.array(state.relaxation, np.float64),
            drift=np.array(state.drift, np.float64),
            assimilated=np.array(state.assimilated, np.int64),
        )
        self._kernels.analysed(
            state.members,
            expected,
            place,
            owned(np.int32, read.channel),
            owned(np.int32, read.sensor),
            owned(np.float64, read.value),
            owned(np.float64, value),
            owned(np.float64, read.variance),
            owned(np.int64, read.valid_at),
            owned(np.bool_, usable),
            state.born != NEVER,
            is_lost,
            owned(np.uint64, crew.keys),
            owned(np.int64, state.tick),
            self._least,
            self._most,
            self._garrote,
            self._wraps,
            self._settings,
            np.arange(0, 2 * size, 2, dtype=np.uint32),
            self._room(rows, readings, size),
            np.empty((len(OF_A_READING), readings), np.float64),
            np.empty((3, channels), np.float64),
            np.empty(2, np.uint64),
            owned(np.float64, state.monitors),
            after.relaxation,
            after.drift,
            after.assimilated,
            after.members,
            after.monitors,
        )
        return after

    def _prepared(
        self, state: TwinState, crew: Crew
    ) -> tuple[TwinState, Bool[np.ndarray, " twin"]]:
        """Members within bounds, lost ensembles widened; which these are."""
        state = replace(state, members=self._array(state.members))
        is_lost = np.empty(len(state), np.bool_)
        any_ = self._kernels.prepared(
            state.members,
            self._least,
            self._most,
            owned(np.float64, state.monitors),
            np.empty(state.monitors.shape[1], np.float64),
            is_lost,
        )
        return recovered(self._schema, state, crew, is_lost) if any_ else state, is_lost

    def _expected(
        self, stepper: Steps, before: TwinState, state: TwinState, crew: Crew, read: Observed
    ) -> tuple[Float[np.ndarray, "twin any member"], Int64[np.ndarray, "twin reading"]]:
        """What members would have read, and which row of it belongs to each reading."""
        at_tick = read.valid_at == (read.tick * self._schema.step)[:, None]
        if not self._schema.running and (at_tick | ~read.compared).all():
            place = owned(np.int64, np.maximum(read.sensor, 0))
            return self._array(stepper.observed(state, crew, state.members)), place
        place = np.empty(read.channel.shape, np.int64)
        place[:] = np.arange(read.channel.shape[1])
        return self._array(predicted(stepper, before, state, crew, read)), place

    def _room(self, rows: int, readings: int, size: int) -> Float[np.ndarray, " any"]:
        # New for each call: two threads may call at once.
        pitch = -(-size // VECTOR) * VECTOR
        joint = rows + readings
        return np.empty((rows + joint + 4) * pitch + 6 * joint, self._schema.precision)


def analyst(assimilator: Assimilator, schema: Schema, *, kernels: Path | None = None) -> Analyst:
    """The fastest that there is for this filter.

    Args:
        assimilator: The filter.
        schema: Of the model.
        kernels: The folder that keeps what was compiled; the user's cache folder by default.
    """
    # These classes and no others: one derived from them may do something else.
    if not numba_is_there() or type(assimilator) is not SerialSquareRoot:
        return InNumpy(assimilator, schema)
    if type(assimilator.inflation) not in {AdaptiveRelaxation, RelaxToPriorSpread}:
        return InNumpy(assimilator, schema)
    try:
        from numba.core.errors import NumbaError  # noqa: PLC0415 - an extra
    except ImportError as error:
        logger.warning("The filter runs in numpy: numba cannot be imported: %s", error)
        return InNumpy(assimilator, schema)
    try:
        return Compiled(assimilator, schema, usual_folder() if kernels is None else kernels)
    except (NumbaError, RuntimeError, OSError) as error:  # numba, LLVM, the folder
        logger.warning("The filter runs in numpy, not compiled: %s", error)
        return InNumpy(assimilator, schema)


def _settings(inflation: Inflation) -> Float64[np.ndarray, " setting"]:
    """Whether it adapts, its memory, its limits; a fixed share."""
    match inflation:
        case AdaptiveRelaxation(memory, least, most):
            return np.array([1.0, memory, least, most, 0.0])
        case RelaxToPriorSpread(alpha):
            return np.array([0.0, 0.0, 0.0, 0.0, alpha])
        case _:
            raise TypeError(f"{inflation.identity} is not compiled")
