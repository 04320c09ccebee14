"""``pytest -p tools.shapes`` finds what it is there for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
CALLS = """
import numpy as np
import pytest
from jaxtyping import TypeCheckError

from gemeos.ensemble.score import crps
from gemeos.testing.linear import Linear

MEMBERS = np.zeros((3, 4))

def test_right():
    assert crps(MEMBERS, np.zeros(3)).tolist() == [0.0, 0.0, 0.0]

@pytest.mark.parametrize("truth", [np.zeros(2), np.zeros((1, 3)), np.zeros(3, np.int64)])
def test_wrong(truth):
    with pytest.raises(TypeCheckError):
        crps(MEMBERS, truth)

def test_not_wrapped():
    assert not hasattr(Linear.step, "__wrapped__")
"""


def test_that_a_wrong_length_axis_or_kind_of_number_fails_at_the_call(tmp_path: Path) -> None:
    program = tmp_path / "test_calls.py"
    program.write_text(CALLS)
    words = ["-q", "-c", str(ROOT / "pyproject.toml"), "--rootdir", str(tmp_path), str(program)]
    child = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "tools.shapes", *words, "-p", "no:cacheprovider"],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
        cwd=ROOT,
    )
    assert "5 passed" in child.stdout, child.stdout + child.stderr
