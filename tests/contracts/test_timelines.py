"""Both timelines keep the port's promises."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from typing_extensions import override

from gemeos.testing.contracts.timeline import DurableTimelineContract, TimelineContract
from gemeos.timeline.base import Timeline
from gemeos.timeline.duck import DuckTimeline
from gemeos.timeline.memory import MemoryTimeline


class TestMemoryTimeline(TimelineContract):
    @pytest.fixture
    def timeline(self) -> Iterator[Timeline]:
        timeline = MemoryTimeline()
        yield timeline
        timeline.close()


class TestDuckTimeline(DurableTimelineContract):
    @pytest.fixture(autouse=True)
    def _file(self, tmp_path: Path) -> None:
        self.path = tmp_path / "site.duckdb"

    @pytest.fixture
    def timeline(self, _file: None) -> Iterator[Timeline]:
        timeline = DuckTimeline(self.path)
        yield timeline
        timeline.close()

    @override
    def reopened(self, timeline: Timeline) -> Timeline:
        timeline.close()
        return DuckTimeline(self.path)
