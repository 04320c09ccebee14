"""Real programs for the integration tests, started on loopback and ended by their pid."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from gemeos.testing.mosquitto import Mosquitto, program


@pytest.fixture
def mosquitto_folder(tmp_path: Path) -> Path:
    """A folder for a broker's files; skips where mosquitto is not installed, but not in CI."""
    if program() is None:
        if os.environ.get("CI") == "true":
            pytest.fail("mosquitto is not installed, and CI must have it")
        pytest.skip("mosquitto is not installed")
    folder = tmp_path / "mosquitto"
    folder.mkdir()
    return folder


@pytest.fixture
def mosquitto(mosquitto_folder: Path) -> Iterator[Mosquitto]:
    """A broker that lets everybody in and keeps everything in memory."""
    with Mosquitto(mosquitto_folder) as broker:
        yield broker
