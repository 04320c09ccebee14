"""What a validation tells: promises with what was measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Check:
    """One promise, and what was measured."""

    name: str
    measured: str
    goal: str
    ok: bool | None
    """None for what is told without a goal."""
    how: str
    reference: str
    source: str


def table(checks: Sequence[Check]) -> str:
    """All of them as a Markdown table, the goal beside the result."""
    verdict = {True: "yes", False: "**no**", None: ""}
    rows = [f"| {c.name} | {c.measured} | {c.goal} | {verdict[c.ok]} |" for c in checks]
    return "\n".join(["| what | measured | goal | met |", "|---|---|---|---|", *rows])
