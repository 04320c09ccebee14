"""What the subjects of one run share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tools.bench.progress import Progress
from tools.bench.report import Check


@dataclass(slots=True)
class Run:
    """One run of the figures."""

    folder: Path
    """For stores and brokers; on the disk that the project is on."""
    progress: Progress
    quick: bool = False
    """Short: shows that everything runs. Its figures mean little."""
    facts: dict[str, float] = field(default_factory=dict)
    """What one subject found and another one needs."""

    def seconds(self, full: float, quick: float) -> float:
        """How long to measure."""
        return quick if self.quick else full

    def count(self, full: int, quick: int) -> int:
        """How many to go through."""
        return quick if self.quick else full

    def how(self, text: str) -> str:
        """``text``, with a warning where the run was short."""
        return f"quick run, not to be quoted: {text}" if self.quick else text


@dataclass(frozen=True, slots=True)
class Subject:
    """Something to measure: one or a few figures of one matter."""

    name: str
    measure: Callable[[Run], Sequence[Check]]
    full_s: float
    """About how long it takes."""
    quick_s: float
