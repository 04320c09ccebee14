"""What the gate names is there: pytest says nothing of a file to be left out that is not."""

from __future__ import annotations

from pathlib import Path

from tools.gate import MAY_BE_TIMED, NO_DIFFERENCE, NUMPY_PATH, REFUSED_EARLIER, TESTS, TEXTS

ROOT = Path(__file__).parents[2]


def test_that_every_path_that_the_gate_names_is_there() -> None:
    for name in (*MAY_BE_TIMED, *NUMPY_PATH, *NO_DIFFERENCE, *TEXTS):
        assert (ROOT / name).exists(), name
    for name in REFUSED_EARLIER:
        file, _, test = name.partition("::")
        assert f"def {test}(" in (ROOT / file).read_text(encoding="utf-8")


def test_that_the_first_two_runs_are_all_tests_that_there_are() -> None:
    first, second, _ = TESTS
    for run, words in ((first, ("not timed",)), (second, ("timed", *MAY_BE_TIMED))):
        assert run[:2] == ("pytest", "-m")
        assert run[2 : 2 + len(words)] == words
        assert all(word.startswith("-") for word in run[2 + len(words) :])
        assert not any(word.startswith(("--ignore", "--deselect")) for word in run)
    for file in (ROOT / "tests").rglob("test_*.py"):
        if "pytest.mark." + "timed" in file.read_text(encoding="utf-8"):
            assert any(file.is_relative_to(ROOT / folder) for folder in MAY_BE_TIMED), file
