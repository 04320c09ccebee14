"""Marks and order by folder, what a missing program or data folder means, no numba if asked."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
LONGEST_FIRST = ("validation", "integration", "contracts", "property", "unit")
"""So that processes that share the tests end together."""
TIMED = "timed: held to seconds of wall time; tools/gate.py runs these apart"
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
    config.addinivalue_line("markers", TIMED)


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Iterator[None]:
    for item in items:
        if folder := folder_of(item):
            item.add_marker(folder)
    yield
    items.sort(key=lambda item: (*LONGEST_FIRST, folder_of(item)).index(folder_of(item)))


def folder_of(item: pytest.Item) -> str:
    """Its folder's name; nothing for a test beside the folders."""
    inside = Path(item.path).relative_to(HERE).parts
    return inside[0] if len(inside) > 1 else ""


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
