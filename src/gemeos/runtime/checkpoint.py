"""Earlier states of a fleet to rewind to, dense for the near past and sparse for the far one.

A state is kept before every cycle. The n-th goes to level tz(n), the number of trailing zero bits
of n, where the newest three stay. Level j holds every second multiple of 2^j, so its third lies
more than 2^(j+2) cycles back, and up to there every multiple of 2^j is kept, on it or above: the
nearest state before one ``a`` cycles old is less than a/2 cycles away, and a rewind costs at most
1.5 times the cycles it must (binary checkpointing; compare Griewank & Walther 2000, ACM TOMS 26,
19-45).

Slot 0 is the boundary: the newest state that is final, because readings before it are no longer
taken in. It is what a keyframe stores.
"""

from __future__ import annotations

from dataclasses import fields

import numpy as np
from jaxtyping import Int64

from gemeos.ensemble.state import NEVER, TwinState

LEVELS = 10
"""The oldest level has every multiple of 512 cycles, and reaches more than 1,024 back."""
_PER_LEVEL = 3
_SLOTS = 1 + _PER_LEVEL * LEVELS
_COLUMNS = tuple(f.name for f in fields(TwinState))


class Checkpoints:
    """Slots of earlier states for every twin of a fleet."""

    def __init__(self, genesis: TwinState) -> None:
        """``genesis``: the twins before their first reading, or as a keyframe left them."""
        self._twins = len(genesis)
        arrays = {}
        for f in fields(genesis):
            array = getattr(genesis, f.name)
            shape = (_SLOTS * self._twins, *array.shape[1:])
            # Simulations are references: there is no bit of them that could be zero.
            has = array.dtype.hasobject
            arrays[f.name] = np.full(shape, None, object) if has else np.zeros(shape, array.dtype)
        self._slots = TwinState(**arrays)
        self._other: set[str] = set()
        """Columns that some state had another bit in than zero: the rest needs no memory."""
        self._tick = self._slots.tick.reshape(_SLOTS, self._twins)
        self._cycles = self._slots.cycles.reshape(_SLOTS, self._twins)
        self._held = np.zeros((_SLOTS, self._twins), np.bool_)
        everyone = np.arange(self._twins)
        self._write(np.zeros(self._twins, np.int64), everyone, genesis)

    def _write(
        self, slot: Int64[np.ndarray, " some"], twins: Int64[np.ndarray, " some"], state: TwinState
    ) -> None:
        where = slot * self._twins + twins
        for name in _COLUMNS:
            column = getattr(state, name)
            if name not in self._other and not column.dtype.hasobject:
                if not np.ascontiguousarray(column).view(np.uint8).any():
                    # Zeros over zeros; written, they would take memory that the system has not
                    # given out yet.
                    continue
                self._other.add(name)
            getattr(self._slots, name)[where] = column
        self._held[slot, twins] = True

    def restore(self, twins: Int64[np.ndarray, " some"], state: TwinState) -> None:
        """These twins begin again from ``state``; nothing earlier or later is kept."""
        self._held[:, twins] = False
        self._write(np.zeros(len(twins), np.int64), twins, state)

    @property
    def boundary(self) -> Int64[np.ndarray, " twin"]:
        """Ticks of the final states: readings applied there or before come too late."""
        return self._tick[0].copy()

    @property
    def held(self) -> Int64[np.ndarray, " twin"]:
        """How many states of each twin are kept, its boundary among them."""
        return self._held.sum(axis=0)

    def save(self, twins: Int64[np.ndarray, " some"], state: TwinState) -> None:
        """Keep the states that are about to go through a cycle."""
        n = np.maximum(state.cycles, 1)
        level = np.minimum(np.log2((n & -n).astype(np.float64)).astype(np.int64), LEVELS - 1)
        # Levels hold every second multiple of their power, the last one all multiples.
        apart = level + (level < LEVELS - 1)
        slot = 1 + _PER_LEVEL * level + (n >> apart) % _PER_LEVEL
        self._write(slot, twins, state)

    def before(
        self, twins: Int64[np.ndarray, " some"], tick: Int64[np.ndarray, " some"]
    ) -> TwinState:
        """The newest kept state of each before ``tick``, which must lie behind the boundary.

        Nothing is forgotten by asking; ``rewound`` says that what followed is void.
        """
        ticks = self._tick[:, twins]
        usable = np.where(self._held[:, twins] & (ticks < tick), ticks, NEVER)
        usable[0] = np.maximum(usable[0], NEVER + 1)  # even a newborn's NEVER beats an empty slot
        slot = usable.argmax(axis=0)
        return self._slots.take(slot * self._twins + twins)

    def rewound(
        self, twins: Int64[np.ndarray, " some"], cycles: Int64[np.ndarray, " some"]
    ) -> None:
        """These twins are back at ``cycles``: states after that are void."""
        self._held[1:, twins] &= self._cycles[1:, twins] <= cycles

    def settle(
        self, twins: Int64[np.ndarray, " some"], until: Int64[np.ndarray, " some"]
    ) -> TwinState:
        """Move the boundaries to the newest kept states at or before ``until``.

        Returns:
            The states at the boundaries.
        """
        state = self.before(twins, until + 1)
        self._write(np.zeros(len(twins), np.int64), twins, state)
        return state
