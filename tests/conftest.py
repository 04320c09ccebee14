"""Marks by folder, what a missing program or data folder means, and a run without numba."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
DATA = HERE.parent.parent / "shared" / "data"


def pytest_addoption(parser: pytest.Parser) -> None:
    told = "as if the extra gemeos[fast] were not installed: everything runs in numpy"
    parser.addoption("--without-numba", action="store_true", help=told)


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--without-numba"):
        if "numba" in sys.modules:
            raise pytest.UsageError("numba is imported already: something imports it too early")
        # None says that there is no such module, to import as well as to find_spec.
        sys.modules["numba"] = None  # type: ignore[assignment]
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
