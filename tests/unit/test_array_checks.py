"""``pytest -p tools.shapes`` finds what it is there for."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jaxtyping import Float64, TypeCheckError

from tools.arrays import checked, where_arrays

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


def _answered(
    given: Float64[np.ndarray, " n"] | None,  # noqa: ARG001
    answer: Any,  # noqa: ANN401
) -> Float64[np.ndarray, " n"] | float:
    return answer


def _of_many(given: Sequence[Float64[np.ndarray, " n"]]) -> int:
    return len(given)


answered = where_arrays(_answered, typechecker=checked)
of_many = where_arrays(_of_many, typechecker=checked)


@pytest.mark.parametrize(
    ("given", "answer"),
    [
        (np.zeros(3), np.zeros(2)),
        (np.zeros(2), np.zeros(3)),
        (np.zeros(3), np.zeros((3, 1))),
        (np.zeros(3), np.zeros(3, np.float32)),
        (np.zeros(3, np.int64), np.zeros(3)),
        (np.zeros(3), None),
        ([0.0, 0.0, 0.0], np.zeros(3)),
    ],
)
def test_that_what_went_well_before_lets_nothing_else_pass(given: object, answer: object) -> None:
    for _ in range(2):
        assert answered(np.zeros(3), np.zeros(3)).tolist() == [0.0] * 3
        assert answered(None, 1.0) == 1.0
        assert answered(given=None, answer=np.zeros(2)) is not None
        with pytest.raises(TypeCheckError):
            answered(given, answer)


def test_that_arrays_within_something_else_are_looked_at_each_time() -> None:
    for _ in range(2):
        assert of_many([np.zeros(3)]) == 1
        with pytest.raises(TypeCheckError):
            of_many([np.zeros(3, np.float32)])


def test_that_nothing_is_put_around_what_has_no_arrays() -> None:
    def plain(given: int) -> int:
        return given

    assert where_arrays(plain, typechecker=checked) is plain
