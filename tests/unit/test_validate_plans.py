"""``gemeos validate plans``: what needs no long search of it."""

from __future__ import annotations

import pytest

from gemeos.cli.main import main
from gemeos.errors import InputError
from gemeos.twins.windfarm import validate_plans
from gemeos.twins.windfarm.validate_plans import validate


def test_that_published_energies_stand_beside_ours() -> None:
    checks = list(validate_plans._energies())
    assert [check.ok for check in checks] == [True, True, True]
    assert [check.goal.split()[0] for check in checks] == [
        "366,941.57",
        "737,883.10",
        "1,294,974.30",
    ]


def test_that_it_has_no_ablations() -> None:
    with pytest.raises(InputError, match="no ablations"):
        validate(ablations=True)


def test_that_others_still_ask_for_their_data(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", "windfarm"]) == 1
    assert "--data" in capsys.readouterr().err
