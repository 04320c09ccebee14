"""Every twin is the same five files and says of each promise what proves it.

The tests that ``proof.toml`` names are collected, in one process for all twins, and not run.
"""

from __future__ import annotations

import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest

import gemeos.twins

ROOT = Path(__file__).parents[2]
TWINS = sorted(
    p for p in Path(str(gemeos.twins.__file__)).parent.iterdir() if (p / "__init__.py").is_file()
)
FILES = ("schema.py", "physics.py", "sensors.py", "decisions.py", "view.py", "proof.toml")
PROMISES = (
    "live_link",
    "kept_in_step",
    "forecast_beats_persistence",
    "scenario_validated",
    "optimise_beats_present_plan",
    "act_closes_the_loop",
    "page_shows_past_present_future_and_doubt",
    "degrades_honestly",
)
NEEDS = {
    "done": ({"proof"}, {"reason"}),
    "partial": ({"proof", "reason"}, set()),
    "not_yet": ({"reason"}, set()),
    "exempt": ({"reason"}, set()),
}
"""By status: what must be told besides, and what may be."""


def mistakes(told: Mapping[str, object]) -> list[str]:
    """What is wrong with the promises as told, one line each."""
    found = [f"{name} is not said" for name in PROMISES if name not in told]
    for name, said in told.items():
        if name not in PROMISES:
            found.append(f"{name} is no promise")
        elif not isinstance(said, dict) or said.get("status") not in NEEDS:
            found.append(f"{name} has no known status")
        else:
            must, may = NEEDS[said["status"]]
            has = {key for key, value in said.items() if isinstance(value, str) and value.strip()}
            found += [f"{name} has no {key}" for key in sorted(must - has)]
            found += [f"{name} has {key}" for key in sorted(set(said) - must - may - {"status"})]
    return found


def promises(twin: Path) -> dict[str, dict[str, str]]:
    return tomllib.loads((twin / "proof.toml").read_text(encoding="utf-8"))


def test_that_there_is_a_twin_to_look_at() -> None:
    assert "windfarm" in [twin.name for twin in TWINS]


@pytest.mark.parametrize("twin", TWINS, ids=[twin.name for twin in TWINS])
def test_that_a_twin_has_its_five_files_and_its_proofs(twin: Path) -> None:
    if all(said["status"] == "not_yet" for said in promises(twin).values()):
        # It is being built, and says so: nobody can open it yet.
        assert (twin / "proof.toml").is_file()
        return
    assert [name for name in FILES if not (twin / name).is_file()] == []


@pytest.mark.parametrize("twin", TWINS, ids=[twin.name for twin in TWINS])
def test_that_every_promise_has_a_status_and_what_it_needs(twin: Path) -> None:
    assert mistakes(promises(twin)) == []


def test_that_every_proof_is_a_test_that_pytest_collects_and_no_other_name_is() -> None:
    named = {said["proof"] for twin in TWINS for said in promises(twin).values() if "proof" in said}
    here = "tests/unit/test_proofs.py"
    lost = [f"{here}::test_that_is_not_there", "tests/unit/test_not_there.py::test_that_it_is"]
    assert named
    assert uncollected([*sorted(named), *lost]) == lost


def uncollected(proofs: list[str]) -> list[str]:
    """Those that pytest does not find. A test with parameters is found by its bare name."""
    files = sorted({proof.split("::")[0] for proof in proofs})
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"]
        + ["-o", "addopts=--import-mode=importlib"]
        + [file for file in files if (ROOT / file).is_file()],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=50,
    )
    found = {line.split("[")[0] for line in run.stdout.splitlines() if "::" in line}
    return [proof for proof in proofs if proof not in found]


def test_that_mistakes_in_promises_are_told() -> None:
    good = {name: {"status": "exempt", "reason": "no such thing"} for name in PROMISES}
    assert mistakes(good) == []
    bad: dict[str, object] = dict(good)
    del bad["live_link"]
    bad["kept_in_step"] = {"status": "done"}
    bad["act_closes_the_loop"] = {"status": "partial", "proof": "tests/x.py::test_y", "reason": " "}
    bad["degrades_honestly"] = {"status": "nearly", "proof": "tests/x.py::test_y"}
    bad["scenario_validated"] = {"status": "not_yet", "reason": "later", "proof": "tests/x.py::y"}
    bad["flies"] = {"status": "done", "proof": "tests/x.py::test_y"}
    assert mistakes(bad) == [
        "live_link is not said",
        "kept_in_step has no proof",
        "scenario_validated has proof",
        "act_closes_the_loop has no reason",
        "degrades_honestly has no known status",
        "flies is no promise",
    ]
