"""Keeping Python's search for garbage short in a process that is a site and nothing else."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def settled_in() -> Iterator[None]:
    """What is there now stays: it is not looked through again and again within the block.

    A site begins with some hundred thousand objects that live as long as it does, most of them the
    compiler's. Looking through them for cycles took 0.1 s each time, and the readings waited.
    For a process of one's own (``gemeos up``), not for a program that others use as well.
    """
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        # Libraries complain at the end of the program of what was kept from being collected.
        gc.unfreeze()
