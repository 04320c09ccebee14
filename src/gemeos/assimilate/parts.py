"""Some twins of a batch that stand side by side: views of dataclasses of arrays, never copies."""

from __future__ import annotations

from dataclasses import fields
from typing import TypeVar

import numpy as np

from gemeos.assimilate.observe import Observed
from gemeos.ensemble.state import TwinState

_Batch = TypeVar("_Batch", TwinState, Observed)


def part(batch: _Batch, which: slice) -> _Batch:
    """Those twins; their arrays are views."""
    return type(batch)(**{f.name: getattr(batch, f.name)[which] for f in fields(batch)})


def room_for(like: TwinState) -> TwinState:
    """Arrays for as many twins, not yet filled."""
    return TwinState(**{f.name: np.empty_like(getattr(like, f.name)) for f in fields(like)})


def fill(room: TwinState, state: TwinState) -> None:
    """Write ``state`` over ``room``, but for what lies there already."""
    for f in fields(room):
        target, source = getattr(room, f.name), getattr(state, f.name)
        if target is not source:
            target[...] = source
