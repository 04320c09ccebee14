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


def room_for(like: TwinState, twins: int) -> TwinState:
    """Arrays for so many twins as in ``like``, not yet filled."""
    arrays = {f.name: getattr(like, f.name) for f in fields(like)}
    return TwinState(
        **{name: np.empty((twins, *a.shape[1:]), a.dtype) for name, a in arrays.items()}
    )


def put_part(whole: TwinState, which: slice, some: TwinState) -> None:
    """Write ``some`` over those twins. Only for the one who owns the arrays of ``whole``."""
    for f in fields(whole):
        getattr(whole, f.name)[which] = getattr(some, f.name)
