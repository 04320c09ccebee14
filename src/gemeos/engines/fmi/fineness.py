"""How many substeps a step needs: as many as it takes that twice as many change nothing."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Final

import msgspec
import numpy as np

from gemeos.engines.fmi.settings import Fmi, opened
from gemeos.engines.hosted import HostedEngine
from gemeos.engines.placed import Asked, Rows
from gemeos.units.instant import Span

TRIED: Final = (4, 8, 16, 32, 64)
AGREE: Final = 1e-6
"""Of the size of each state, or of how far it was moved for the trial."""
STEPS: Final = 5
MOST_ROWS: Final = 33


def substeps(
    engine: HostedEngine,
    fmi: Fmi,
    begun: Mapping[str, float],
    moved: Mapping[str, float],
    *,
    limit: Span,
) -> int | None:
    """The fewest of ``TRIED`` with which the states agree with those of twice as many.

    Args:
        engine: The FMU with the fewest of them; it hides nothing.
        fmi: The same.
        begun: Its states at the start.
        moved: How far each is moved from there for a run of its own: at the start itself a model
            may be at rest, where every solver is right.
        limit: The longest that one step of one run may take.

    Returns:
        None where not even the most are enough: the model is stiff for an explicit method.
    """
    names = tuple(begun)
    starts = _starts(np.array([*begun.values()]), np.array([moved[name] for name in names]))
    size = np.maximum(np.abs(starts).max(axis=0), [abs(moved[name]) for name in names])
    coarse = _run(engine, names, starts)
    for count, twice in pairwise(TRIED):
        with opened(msgspec.structs.replace(fmi, substeps=twice), limit=limit) as finer:
            fine = _run(finer, names, starts)
        with np.errstate(invalid="ignore", over="ignore"):
            agree = np.abs(coarse - fine) <= AGREE * np.maximum(np.abs(fine), size)
        # Where the model cannot go on whatever the step is, it tells nothing of the steps.
        if (agree | (np.isnan(coarse) & np.isnan(fine))).all() and np.isfinite(fine).any():
            return count
        coarse = fine
    return None


def _starts(begun: Rows, moved: Rows) -> Rows:
    each = begun + np.diag(moved)[: MOST_ROWS - 1]
    return np.vstack([begun, each])


def _run(engine: HostedEngine, states: tuple[str, ...], starts: Rows) -> Rows:
    process = engine.placed()
    try:
        asked = Asked((), (), states, states, engine.spec.step)
        for _ in range(STEPS):
            sound = np.isfinite(starts).all(axis=1)
            moved = np.full_like(starts, np.nan)
            moved[sound] = process.moved(asked, starts[sound])
            starts = moved
    finally:
        process.close()
    return starts
