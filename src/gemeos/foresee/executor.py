"""Who runs forks: the port, and the one that does it on the spot.

A batch of forks is a value: what it begins from, what is done in each, how far they go. With the
model it is all that the answer depends on, so whoever runs it tells the same, to the last bit:
this thread, another process, or, one day, another machine. What becomes of forks that fail is a
value too (``Played.failures``); ``watch`` sees them go on, and ends them by raising.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, final

import numpy as np
from jaxtyping import Int64

from gemeos.ensemble.state import TwinState
from gemeos.foresee.drive import InputMemory
from gemeos.foresee.fork import Forks, Played, Watch, blocks, played
from gemeos.foresee.intervene import Acts
from gemeos.simulate.base import Crew, Steps


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Forks of one twin at one instant, as they are handed over."""

    state: TwinState
    """What they are copies of: a batch of one, born."""
    crew: Crew
    """Its own."""
    numbers: Int64[np.ndarray, " fork"]
    """Which block of members each fork is (``foresee.fork.blocks``); 0 is the ensemble itself."""
    acts: tuple[Acts, ...]
    """What is done in each."""
    steps: int
    """How far they go."""
    every: int
    """Steps between two instants of the answer."""
    input_span: int | None = None
    """Of the means that inputs are foreseen from (``foresee.drive``); None where they are held."""
    rows: tuple[int, ...] | None = None
    """Of ``Steps.told_names`` to be told; None for all."""

    @property
    def start(self) -> int:
        """The tick of the fork."""
        return int(self.state.tick[0])

    @property
    def members(self) -> int:
        """Of all forks together."""
        return len(self.numbers) * int(self.state.members.shape[2])


class Executor(Protocol):
    """Runs batches. One thread of the caller's waits for each; several may at a time."""

    def played(self, model: Steps, batch: Batch, watch: Watch) -> Played:
        """Where the members of the batch go: a function of model and batch alone.

        Args:
            model: Moves them, here or wherever it can be made again.
            batch: What is run.
            watch: Called now and then with the tick that they have come to, on this thread. What
                it raises ends them, and is raised here.

        Raises:
            InputError: nothing lies ahead, or more instants than one answer holds.
            WorkerError: who was to run it is gone, and so was the next.
        """
        ...


@final
class InProcess:
    """Runs each batch on the thread that asks."""

    def played(self, model: Steps, batch: Batch, watch: Watch) -> Played:
        """See ``Executor.played``."""
        state, crew = blocks(batch.state, batch.crew, batch.numbers)
        span = batch.input_span
        return played(
            model,
            Forks(state, crew, batch.acts),
            until=batch.start + batch.steps,
            every=batch.every,
            inputs=None if span is None else InputMemory(model.schema, span),
            rows=batch.rows,
            watch=watch,
        )
