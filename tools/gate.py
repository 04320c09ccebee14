"""What ``make test`` runs: looks, two at once, then tests; what fails ends it."""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from subprocess import PIPE, STDOUT

TEXTS = ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "changes", "docs")
LOOKS: tuple[tuple[str, ...], ...] = (
    ("mypy",),  # the longest first
    ("ruff", "format", "--check", "."),
    ("ruff", "check", "."),
    ("lint-imports",),
    ("codespell", "src", "tests", "tools", *TEXTS),
    ("towncrier", "build", "--draft", "--version", "next"),
    ("sphinx-build", "-q", "-W", "--keep-going", "-b", "html", "docs", "build/docs"),
)
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
MAY_BE_TIMED = ("tests/benchmarks", "tests/contracts", "tests/integration")
BY_FILE = ("--dist=loadfile", "--no-loadscope-reorder")
"""Fixtures of a file are made once; files begin in the order of tests/conftest.py."""
COVERED = ("--cov", "--cov-report=", "--cov-fail-under=0")
"""What is run is added up; the last that is covered looks at the floor in pyproject.toml."""
TESTS: tuple[tuple[str, ...], ...] = (
    # One more than there are processors, for tests that wait for other processes.
    ("pytest", "-m", "not timed", "--numprocesses=3", *BY_FILE, *COVERED),
    # They are held to seconds, and mostly wait: each has a processor for itself.
    (
        *("pytest", "-m", "timed", *MAY_BE_TIMED, "--numprocesses=2", *BY_FILE),
        *("--cov", "--cov-append", "--cov-report=term:skip-covered"),
    ),
    (
        *("python", "-m", "pytest", "-p", "tools.shapes", "--without-numba", *NUMPY_PATH),
        *("--numprocesses=2", *(f"--ignore={file}" for file in NO_DIFFERENCE)),
        *(f"--deselect={test}" for test in REFUSED_EARLIER),
    ),
)
PROGRAMS = Path(sys.executable).parent


def main() -> int:
    """Run them; the exit code is not 0 where one failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--no-tests", action="store_true", help="only look at the code")
    args = parser.parse_args()
    # Two at once: mypy takes as long as all others together.
    with ThreadPoolExecutor(2) as looks:
        code = max(looks.map(look, LOOKS))
    for command in () if args.no_tests else TESTS:
        if code:
            break
        tell(f"== {' '.join(command)}\n")
        began = time.monotonic()
        code = subprocess.run(program(command), check=False).returncode  # noqa: S603
        tell(ended(command, began, code))
    return code


def look(command: tuple[str, ...]) -> int:
    """Its exit code; what it said is told when it is over."""
    began = time.monotonic()
    done = subprocess.run(program(command), check=False, stdout=PIPE, stderr=STDOUT, text=True)  # noqa: S603
    code = abs(done.returncode)
    tell(f"== {' '.join(command)}\n{done.stdout}{ended(command, began, code)}")
    return code


def ended(command: tuple[str, ...], began: float, code: int) -> str:
    """The line that says so."""
    failed = f", failed: {code}" if code else ""
    return f"== {command[0]}: {time.monotonic() - began:.1f} s{failed}\n"


def program(command: tuple[str, ...]) -> list[str | Path]:
    """The command of this environment."""
    return [PROGRAMS / command[0], *command[1:]]


def tell(text: str) -> None:
    """At once, before what is run next says anything."""
    sys.stdout.write(text)
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
