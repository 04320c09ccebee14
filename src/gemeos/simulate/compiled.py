"""From what the user wrote to a simulator."""

from __future__ import annotations

from typing import cast

from gemeos.schema.declare import declaration_of, is_declared
from gemeos.simulate.arrays import ArrayModel, ArraySimulator
from gemeos.simulate.base import Simulator
from gemeos.simulate.batched import BatchedSimulator
from gemeos.simulate.frontend import lower
from gemeos.simulate.members import MembersSimulator


def compile_model(model: object) -> Simulator:
    """The simulator of a model, in the mode that it declares.

    Args:
        model: A class decorated with ``model``: printed for numpy, or run member by member where
            it says ``compile=False``, never silently. Or an array model: an instance, or a class
            that needs no arguments.

    Raises:
        DeclarationError: a method cannot be compiled; told at its line.
        SchemaError: ``model`` is no model.
    """
    if isinstance(model, type):
        if is_declared(model):
            if declaration_of(model).compiles:
                return BatchedSimulator(lower(model))
            return MembersSimulator(model)
        model = model()
    return ArraySimulator(cast("ArrayModel", model))
