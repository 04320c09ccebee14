"""From what the user wrote to a simulator."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import cast

from gemeos.schema.declare import declaration_of, is_declared
from gemeos.simulate.arrays import ArrayModel, ArraySimulator
from gemeos.simulate.base import Simulator
from gemeos.simulate.batched import BatchedSimulator
from gemeos.simulate.fast import FastSimulator, NotCompiled, compiled, numba_is_there
from gemeos.simulate.frontend import LoweredModel, lower
from gemeos.simulate.kernels import usual_folder
from gemeos.simulate.members import MembersSimulator

logger = logging.getLogger(__name__)


def compile_model(model: object, *, kernels: Path | None = None) -> Simulator:
    """The simulator of a model, in the mode that it declares.

    Args:
        model: A class decorated with ``model``: compiled by numba where that is installed, else
            printed for numpy; or run member by member where it says ``compile=False``. The
            simulator's class tells which. Or an array model: an instance, or a class that needs
            no arguments.
        kernels: The folder that keeps what was compiled; the user's cache folder by default.

    Raises:
        DeclarationError: a method cannot be compiled; told at its line.
        SchemaError: ``model`` is no model.
    """
    if isinstance(model, type):
        if is_declared(model):
            if declaration_of(model).compiles:
                return _fastest(lower(model), usual_folder() if kernels is None else kernels)
            return MembersSimulator(model)
        model = model()
    return ArraySimulator(cast("ArrayModel", model))


def _fastest(lowered: LoweredModel, kernels: Path | None) -> FastSimulator | BatchedSimulator:
    if not numba_is_there():
        return BatchedSimulator(lowered)
    match compiled(lowered, kernels):
        case FastSimulator() as fast:
            return fast
        case NotCompiled(reason):
            logger.warning("%s runs in numpy, not compiled: %s", lowered.schema.name, reason)
            return BatchedSimulator(lowered)
