"""What ``make test`` runs, cheap things first; the first that fails ends it."""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

TEXTS = ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "changes", "docs")
LOOKS: tuple[tuple[str, ...], ...] = (
    ("ruff", "format", "--check", "."),
    ("ruff", "check", "."),
    ("lint-imports",),
    ("mypy",),
    ("codespell", "src", "tests", "tools", *TEXTS),
    ("towncrier", "build", "--draft", "--version", "next"),
    ("sphinx-build", "-q", "-W", "--keep-going", "-b", "html", "docs", "build/docs"),
)
QUICK = ("tests/unit", "tests/contracts")
APART = ("tests/property", "tests/validation")
"""They calculate, and wait for nothing."""
NUMPY_PATH = (
    "tests/unit",
    "tests/contracts/test_array_models.py",
    "tests/contracts/test_contract_3_determinism.py",
    "tests/contracts/test_contract_5_failing_member.py",
    "tests/contracts/test_simulators.py",
)
"""Where it matters whether numba is installed: simulators, filters, determinism."""
NO_DIFFERENCE = (
    # Other processes, long series of scalars, and what runs no declared model.
    "tests/unit/test_array_checks.py",
    "tests/unit/test_blend.py",
    "tests/unit/test_imports.py",
    "tests/unit/test_proofs.py",
    "tests/unit/test_store_lock.py",
    "tests/unit/test_typing_of_declarations.py",
    "tests/unit/test_windfarm_validate.py",
)
REFUSED_EARLIER = (
    "tests/unit/test_es_mda_parts.py::test_that_errors_of_readings_that_cannot_be_are_refused",
    "tests/unit/test_estimate.py::test_that_an_estimate_that_does_not_fit_together_is_refused",
    "tests/unit/test_objective.py::test_that_samples_of_another_shape_are_refused",
)
"""They hand over wrong shapes to see what is said of them."""
AT_ONCE = ("--numprocesses=2",)
"""More would not be faster: what runs long starts processes of its own."""
COVERED = ("--cov", "--cov-report=", "--cov-fail-under=0")
"""What is run is added up; the last that is covered looks at the floor in pyproject.toml."""
TESTS: tuple[tuple[str, ...], ...] = (
    ("pytest", *QUICK, *AT_ONCE, *COVERED),
    ("pytest", *APART, *AT_ONCE, *COVERED, "--cov-append"),
    # One after the other: they start processes of their own, and some hold them to a time.
    (
        *("pytest", *(f"--ignore={folder}" for folder in (*QUICK, *APART))),
        *("--cov", "--cov-append", "--cov-report=term:skip-covered"),
    ),
    (
        *("python", "-m", "pytest", "-p", "tools.shapes", "--without-numba", *NUMPY_PATH, *AT_ONCE),
        *(f"--ignore={file}" for file in NO_DIFFERENCE),
        *(f"--deselect={test}" for test in REFUSED_EARLIER),
    ),
)
PROGRAMS = Path(sys.executable).parent


def main() -> int:
    """Run them; the exit code is the first that is not 0."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--no-tests", action="store_true", help="only look at the code")
    args = parser.parse_args()
    for command in LOOKS if args.no_tests else LOOKS + TESTS:
        began = time.monotonic()
        sys.stdout.write(f"== {' '.join(command)}\n")
        sys.stdout.flush()
        code = subprocess.run([PROGRAMS / command[0], *command[1:]], check=False).returncode  # noqa: S603
        sys.stdout.write(f"== {command[0]}: {time.monotonic() - began:.1f} s\n")
        if code:
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
