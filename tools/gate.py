"""What ``make test`` runs, cheap things first; the first that fails ends it."""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

LOOKS: tuple[tuple[str, ...], ...] = (
    ("ruff", "format", "--check", "."),
    ("ruff", "check", "."),
    ("lint-imports",),
    ("mypy",),
    ("codespell", "src", "tests", "tools", "docs", "README.md", "ARCHITECTURE.md"),
)
TESTS: tuple[tuple[str, ...], ...] = (("pytest",),)
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
