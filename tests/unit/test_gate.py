"""What the gate names is there: pytest says nothing of a file to be left out that is not."""

from __future__ import annotations

from pathlib import Path

from tools.gate import APART, NO_DIFFERENCE, NUMPY_PATH, QUICK, REFUSED_EARLIER, TESTS, TEXTS

ROOT = Path(__file__).parents[2]


def test_that_every_path_that_the_gate_names_is_there() -> None:
    for name in (*QUICK, *APART, *NUMPY_PATH, *NO_DIFFERENCE, *TEXTS):
        assert (ROOT / name).exists(), name
    for name in REFUSED_EARLIER:
        file, _, test = name.partition("::")
        assert f"def {test}(" in (ROOT / file).read_text(encoding="utf-8")


def test_that_what_the_first_runs_leave_out_is_all_that_the_third_takes() -> None:
    *before, third, _ = TESTS
    left_out = {word.removeprefix("--ignore=") for word in third if word.startswith("--ignore=")}
    assert left_out == {w for run in before for w in run if w.startswith("tests/")}
