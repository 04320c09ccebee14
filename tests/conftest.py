"""Marks by folder, and what a missing system program or data folder means."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

HERE = Path(__file__).parent
DATA = HERE.parent.parent / "shared" / "data"


def pytest_configure(config: pytest.Config) -> None:
    for folder in sorted(p.name for p in HERE.iterdir() if p.is_dir() and p.name[0] not in "._"):
        config.addinivalue_line("markers", f"{folder}: tests of tests/{folder}")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        inside = Path(item.path).relative_to(HERE).parts
        if len(inside) > 1:
            item.add_marker(inside[0])


def missing(what: str) -> None:
    """Skip for the reason that ``what`` is missing; with CI=true that is a failure."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what} is missing, and with CI=true it must not be")
    pytest.skip(f"{what} is missing")


@pytest.fixture(scope="session")
def recorded_data() -> Path:
    """The folder of recorded data beside the project."""
    if not DATA.is_dir():
        missing(f"the recorded data ({DATA})")
    return DATA
