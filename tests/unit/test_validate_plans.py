"""``gemeos validate plans``: what needs no long search of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gemeos.errors import InputError
from gemeos.twins.windfarm import validate_plans
from gemeos.twins.windfarm.validate_plans import validate_layout, validate_yaw


def test_that_published_energies_stand_beside_ours() -> None:
    checks = list(validate_plans._energies())
    assert [check.ok for check in checks] == [True, True, True]
    assert [check.goal.split()[0] for check in checks] == [
        "366,941.57",
        "737,883.10",
        "1,294,974.30",
    ]


@pytest.mark.parametrize("validate", [validate_layout, validate_yaw])
def test_that_it_has_no_ablations(validate: Callable[..., object]) -> None:
    with pytest.raises(InputError, match="no ablations"):
        validate(ablations=True)
