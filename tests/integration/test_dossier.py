"""The dossier of a plan: one file, worked out anew by a process that has nothing else."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from gemeos.cli.main import main
from gemeos.errors import InputError, OutOfReachError, UnknownNameError
from gemeos.runtime.dossier import TOLD, Dossier
from gemeos.runtime.recheck import Finding, rechecked
from gemeos.runtime.twin import Twin
from gemeos.serve.client import connect
from gemeos.testing.kettles import Kettles, kettle_twin
from gemeos.testing.served import served
from gemeos.testing.tanks import Tanks
from gemeos.testing.valve import until

MODEL = "gemeos.testing.kettles:kettle_twin"


@pytest.fixture(scope="module")
def content() -> Iterator[bytes]:
    """Of a plan that was searched for, applied, and scored."""
    kettles = Kettles(1, seed=5)
    with served(kettles.site(watch="1 s")) as serving:
        host = serving.host
        until(lambda: kettles.device.cut is not None)
        kettles.live(host, 80)
        twin = host.twin("k0")
        twin.optimisations.begin(
            "warm",
            {"power": "1 kW, 1.8 kW, 2.4 kW"},
            until="60 s",
            every="4 s",
            minimise="mean(abs(water - 330 K))",
            budget="9 runs",
        )
        twin.optimisations.record("warm", wait_s=60)
        twin.plans.of_optimisation("warm", on=["thermometer"])
        twin.apply("warm", approve="ada", dry_run=False)
        until(lambda: host.timeline.events(kind="taken"))
        # What its names stand for later is not what it was made of.
        twin.optimisations.drop("warm")
        twin.scenarios.drop("plan-warm")
        kettles.live(host, 64)
        until(lambda: kettles.scored(host), 50.0)
        here = twin.plans.dossier("warm")
        with connect(serving.url) as site:
            assert site["k0"].plans.dossier("warm") == here
            with pytest.raises(UnknownNameError, match="no plan 'cold'"):
                site["k0"].plans.dossier("cold")
        yield here


def words(findings: list[Finding]) -> dict[str, str]:
    return {each.what: each.word for each in findings}


def changed(content: bytes, name: str, before: bytes, after: bytes) -> bytes:
    """The same file with something else in it."""
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(content)) as old,
        zipfile.ZipFile(buffer, "w") as new,
    ):
        for entry in old.namelist():
            part = old.read(entry)
            if entry == name:
                assert before in part
                part = part.replace(before, after)
            new.writestr(entry, part)
    return buffer.getvalue()


def test_that_it_tells_what_led_to_the_plan_and_what_came_of_it(content: bytes) -> None:
    told = Dossier.from_bytes(content).told
    assert told.optimisation is not None
    assert told.optimisation.tried == 3
    assert told.optimisation.is_recommended
    assert told.scenario is not None
    assert told.plan.plan.promise is not None
    assert told.plan.approved_by == ("ada",)
    assert told.undertaking is not None
    assert [i.state.value for i in told.undertaking.issued] == ["taken"]
    assert told.score is not None
    assert told.score.delivered is not None
    kinds = [event.kind for event in told.events]
    assert kinds[:4] == ["optimisation_begun", "scenario_begun", "plan", "plan_approved"]
    assert {"plan_applied", "command", "acknowledged", "taken", "plan_kept"} <= set(kinds)
    assert kinds[-1] == "plan_scored"
    # 80 s before it, every 2 s, of three channels.
    assert told.known.readings == 120
    # People read it as it is.
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert json.loads(archive.read(TOLD))["format"] == "gemeos-dossier/1"


def test_that_another_process_with_nothing_but_file_and_model_comes_to_the_same_bits(
    content: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "warm.dossier"
    path.write_bytes(content)
    asked = [sys.executable, "-m", "gemeos", "dossier", str(path), "--check", "--json"]
    done = subprocess.run(
        [*asked, "--model", MODEL], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    findings = {each["what"]: each["same"] for each in json.loads(done.stdout)}
    assert findings == {
        "plan": True,
        "forecast": True,
        "promise": True,
        "verdict": True,
        "ledger": True,
    }
    assert [each.name for each in tmp_path.iterdir()] == ["warm.dossier"]


def test_that_where_the_model_is_not_given_or_another_it_says_which_it_was(
    content: bytes,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = tmp_path / "warm.dossier"
    path.write_bytes(content)
    monkeypatch.chdir(tmp_path)
    assert main(["dossier", str(path), "--check"]) == 1
    assert "The model of this dossier is gemeos.testing.kettles:Kettle" in capsys.readouterr().err
    assert main(["dossier", str(path), "--check", "--model", "nowhere:Kettle"]) == 1
    assert "No module named 'nowhere'" in capsys.readouterr().err
    with pytest.raises((OutOfReachError, InputError)):
        rechecked(Dossier.from_bytes(content), Twin("k0", Tanks()))


def test_that_a_promise_that_was_raised_afterwards_is_found_out(content: bytes) -> None:
    promise = Dossier.from_bytes(content).told.plan.plan.promise
    assert promise is not None
    before = json.dumps(promise.gain.mean).encode()
    raised = changed(content, TOLD, before, json.dumps(promise.gain.mean + 1.0).encode())
    told = words(rechecked(Dossier.from_bytes(raised), kettle_twin("k0")))
    assert (told["plan"], told["promise"]) == ("ANOTHER", "ANOTHER")
    assert (told["forecast"], told["verdict"]) == ("the same", "the same")


def test_that_a_state_or_a_reading_that_was_changed_is_refused(content: bytes) -> None:
    with pytest.raises(InputError, match=r"scenario\.state is not what it was"):
        Dossier.from_bytes(changed(content, "scenario.state", b"members", b"membert"))
    with pytest.raises(InputError, match="no dossier"):
        Dossier.from_bytes(b"a letter")
    with pytest.raises(InputError, match="has the format 'gemeos-dossier/9'"):
        Dossier.from_bytes(changed(content, TOLD, b"gemeos-dossier/1", b"gemeos-dossier/9"))
