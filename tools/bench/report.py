"""What a run found: figures with their goals, printed and written down."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Check:
    """One figure beside its goal."""

    name: str
    measured: float
    """A ratio, a count, or, where the name says so, seconds."""
    goal: str
    """As in ``>= 0.6 of a bare paho consumer``."""
    ok: bool
    how: str
    """What was measured on both sides, and, of a miss, what limits it."""


def at_least(name: str, measured: float, bound: float, of: str, how: str) -> Check:
    """Met from ``bound`` on; what is not a number is a miss. ``of`` names the peer or limit."""
    return Check(name, measured, f">= {bound:g} {of}".rstrip(), measured >= bound, how)


def at_most(name: str, measured: float, bound: float, of: str, how: str) -> Check:
    """Met up to ``bound``; what is not a number is a miss."""
    return Check(name, measured, f"<= {bound:g} {of}".rstrip(), measured <= bound, how)


def failed(name: str, why: str) -> Check:
    """A figure that could not be measured: a miss that says why."""
    return Check(name, math.nan, "measured", ok=False, how=why)


def table(checks: Sequence[Check]) -> str:
    """For a terminal: a line a figure with how it was measured below it, misses marked."""
    lines = []
    for check in checks:
        mark = "ok  " if check.ok else "MISS"
        lines.append(f"{mark} {check.name}: {_number(check.measured)} (goal {check.goal})")
        lines += [f"       {line}" for line in check.how.splitlines()]
    met = sum(check.ok for check in checks)
    return "\n".join([*lines, f"{met} of {len(checks)} goals met.", ""])


def write(checks: Sequence[Check], target: Path) -> None:
    """``{"checks": [{"name", "measured", "goal", "ok", "how"}]}``; null for what is no number."""
    rows = [
        {
            "name": check.name,
            "measured": check.measured if math.isfinite(check.measured) else None,
            "goal": check.goal,
            "ok": check.ok,
            "how": check.how,
        }
        for check in checks
    ]
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps({"checks": rows}, indent=2) + "\n", encoding="utf-8")


def _number(value: float) -> str:
    if not math.isfinite(value):
        return "not measured"
    return f"{value:.0f}" if value == round(value) and abs(value) < 1e6 else f"{value:.3g}"
