"""A plugin, ``pytest -p tools.shapes``: arrays are checked, their numbers, axes and lengths."""

from __future__ import annotations

from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src"
NOT_WRAPPED = "gemeos.testing."
"""A declared model's text is read by the compiler, which refuses one that is wrapped."""


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests() -> None:
    """Wrap functions as their modules are imported.

    Before anything imports gemeos, but after pytest looked who is imported already.
    """
    import jaxtyping  # noqa: PLC0415

    from tools.arrays import where_arrays  # noqa: PLC0415

    # The hook wraps every function, and a call of one that is wrapped costs microseconds.
    setattr(jaxtyping, "jaxtyped", where_arrays)  # noqa: B010  mypy
    # jaxtyping itself imports no more than what stands before the first dot.
    jaxtyping.install_import_hook(modules(), "importlib.import_module('tools.arrays').checked")


def modules() -> list[str]:
    """Those that annotate arrays."""
    paths = [p for p in sorted(SOURCE.glob("gemeos/**/*.py")) if "from jaxtyping" in p.read_text()]
    names = [".".join(p.relative_to(SOURCE).with_suffix("").parts) for p in paths]
    return [name for name in names if not name.startswith(NOT_WRAPPED)]
