"""Keeping Python's search for garbage short in a process that is a site and nothing else."""

from __future__ import annotations

import gc


def settled_in() -> None:
    """What is there now stays: do not look through it again and again.

    A site begins with some hundred thousand objects that live as long as it does, most of them the
    compiler's. Looking through them for cycles took 0.1 s each time, and the readings waited.
    For a process of one's own (``gemeos up``), not for a program that others use as well.
    """
    gc.collect()
    gc.freeze()
