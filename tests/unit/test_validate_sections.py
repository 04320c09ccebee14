"""``gemeos validate``: one name for all of a twin, parts of it alone, and parts that cannot run."""

from __future__ import annotations

import importlib
import inspect
import json
from pathlib import Path

import pytest

from gemeos.act.undertaking import Stage
from gemeos.cli.main import main
from gemeos.cli.validate import SECTIONS, WHOLES
from gemeos.errors import InputError
from gemeos.runtime.ledger_row import Ledger, LedgerRow, Score
from gemeos.schema.plan import Gain, Promise
from gemeos.twins.windfarm import ledger_trial, steering_trial, validate_plans
from gemeos.units.instant import SECOND

HOUR = 3600 * SECOND


def test_that_a_twins_name_stands_for_every_part_of_it() -> None:
    parts = {name for twin in ("windfarm", "traffic") for name in WHOLES[twin]}
    assert parts == set(SECTIONS)
    assert not SECTIONS.keys() & WHOLES.keys()


@pytest.mark.parametrize("name", list(SECTIONS))
def test_that_every_part_can_be_called_alike(name: str) -> None:
    section = SECTIONS[name]
    validate = getattr(importlib.import_module(section.module), section.function)
    assert {"ablations", "quick", "tell"} <= inspect.signature(validate).parameters.keys()


def test_that_without_floris_all_else_is_run_and_the_lack_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(steering_trial, "find_spec", lambda _name: None)
    # Its search for a layout takes long on a busy machine.
    monkeypatch.setattr(validate_plans, "_layout", lambda _: next(validate_plans._energies()))
    assert main(["validate", "plans", "--quick", "--json"]) == 1
    printed = capsys.readouterr()
    told = json.loads(printed.out)
    assert list(told["not_run"]) == ["yaw"]
    assert "pip install 'gemeos[floris]'" in told["not_run"]["yaw"]
    assert {check["section"] for check in told["checks"]} == {"layout"}
    assert [check["ok"] for check in told["checks"]] == [True] * 4
    assert "yaw was not run" in printed.err
    assert "not run: yaw" in printed.err


def test_that_a_part_alone_that_cannot_run_is_an_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(steering_trial, "find_spec", lambda _name: None)
    assert main(["validate", "yaw"]) == 1
    assert capsys.readouterr().err.startswith("gemeos: Searches for yaw angles need FLORIS")


def test_that_nothing_is_begun_where_the_data_of_a_part_is_not_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["validate", "windfarm"]) == 1
    told = capsys.readouterr().err
    assert "--data" in told
    assert "Without any run alone: yaw, layout, ledger." in told
    assert main(["validate", "signals", "--data", str(tmp_path / "none")]) == 1
    assert "is no folder" in capsys.readouterr().err


def test_that_ablations_are_refused_where_nothing_has_them(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["validate", "plans", "--ablations"]) == 1
    assert "no ablations" in capsys.readouterr().err
    with pytest.raises(InputError, match="no ablations"):
        ledger_trial.validate(ablations=True)


def test_that_a_missed_goal_is_told_by_the_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = ledger(22, 30)
    monkeypatch.setattr(ledger_trial, "applied", lambda *_: kept)
    assert main(["validate", "ledger"]) == 0
    assert "1 of 1 goals reached" in capsys.readouterr().err
    broken = ledger(21, 30)
    monkeypatch.setattr(ledger_trial, "applied", lambda *_: broken)
    assert main(["validate", "ledger"]) == 1
    printed = capsys.readouterr()
    assert "missed: ledger: delivered gains" in printed.err
    assert "21 of 30" in printed.out
    # In little of it nothing is judged.
    assert main(["validate", "ledger", "--quick"]) == 0


def row(number: int, *, inside: bool | None) -> LedgerRow:
    gain = Gain("maximise mean(farm.power)", "kW", -300.0, -400.0, -200.0, 0.9)
    kind = ledger_trial.KINDS[number % 2]
    return LedgerRow(
        twin="farm",
        plan=f"id-{number}",
        name=f"plan-{number}",
        changes=kind.changes(kind.to),
        applied_at=number * HOUR,
        by="validation",
        approved_by=("validation",),
        promise=Promise("mean(farm.power)", "maximise", HOUR, HOUR // 6, gain, 128),
        stage=Stage.KEPT,
        reason="",
        score=Score(
            twin="farm",
            plan=f"id-{number}",
            stage=Stage.KEPT,
            known_by=(number + 1) * HOUR,
            model="m",
            origin="o",
            delivered=Gain("maximise mean(farm.power)", "kW", -250.0, -260.0, -240.0, 0.9),
            inside=inside,
            notes=() if inside is not None else ("nothing was read meanwhile",),
        ),
    )


def ledger(kept: int, judged: int, unjudged: int = 0) -> Ledger:
    rows = [row(number, inside=number < kept) for number in range(judged)]
    rows += [row(judged + number, inside=None) for number in range(unjudged)]
    return Ledger(tuple(rows))


@pytest.mark.parametrize(("kept", "ok"), [(21, False), (22, True), (30, True)])
def test_that_thirty_plans_are_held_to_the_binomial_acceptance(kept: int, *, ok: bool) -> None:
    # Of 30 with 0.9 each, 21 or fewer are kept with a chance of 0.20 %, 22 or fewer with 0.78 %.
    first, *_ = ledger_trial.checks_of(ledger(kept, 30, 2))
    assert first.ok is ok
    assert first.goal.startswith("22 to 30 of 30")


def test_that_fewer_plans_show_nothing_and_are_a_miss_unless_few_were_asked_for() -> None:
    few = ledger(5, 5, 1)
    assert ledger_trial.checks_of(few)[0].ok is False
    assert ledger_trial.checks_of(few, quick=True)[0].ok is None
    last = ledger_trial.checks_of(few)[-1]
    assert last.measured == "1 of 6. plan-5: nothing was read meanwhile"


def test_that_each_kind_of_plan_tells_what_was_promised_and_delivered() -> None:
    told = {check.name: check.measured for check in ledger_trial.checks_of(ledger(3, 4))}
    limited = told["ledger: power_limit to 500 kW, and back"]
    # Rows 0 and 2 limit; of these both are kept.
    assert limited == "2 of 2; on average 300 kW promised, 250 kW delivered, either way"
