"""What moves every member on: the model's port, its two ways of being written, and the step."""

from gemeos.simulate.arrays import ArrayModel, ArraySimulator
from gemeos.simulate.base import Simulator
from gemeos.simulate.batched import BatchedSimulator
from gemeos.simulate.compiled import compile_model
from gemeos.simulate.fast import FastSimulator
from gemeos.simulate.members import MembersSimulator

__all__ = [
    "ArrayModel",
    "ArraySimulator",
    "BatchedSimulator",
    "FastSimulator",
    "MembersSimulator",
    "Simulator",
    "compile_model",
]
