"""What is made of runs: goals, and what counts as met."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from gemeos.errors import InputError
from gemeos.twins.traffic.signals.checker import Kind, Violation
from gemeos.twins.traffic.signals.figures import checks_of
from gemeos.twins.traffic.signals.pedestrians import Delay
from gemeos.twins.traffic.signals.trial import Run
from gemeos.twins.traffic.validate_signals import validate


def some(delay_s: float) -> list[Run]:
    """Ten seeds that differ by up to 0.9 s."""
    walked = Delay(15.0, 80.0, 4)
    return [Run(delay_s + 0.1 * k, 0, 120.0, walked, ()) for k in range(10)]


def found(**instead: list[Run]) -> dict[str, list[Run]]:
    runs = {
        "fixed": some(40.0),
        "wave without limits": some(18.0),
        "pressure without limits": some(25.0),
        "wave": some(20.0),
        "pressure": some(28.0),
        "twin": some(17.0),
    }
    return runs | {name.replace("_", " "): of for name, of in instead.items()}


def verdicts(runs: dict[str, list[Run]], name: str = "cologne1") -> dict[str, bool | None]:
    return {c.name.partition(": ")[2]: c.ok for c in checks_of(name, runs, 3600)}


def test_that_a_gain_is_against_the_better_rule_and_sure() -> None:
    gain = "gain over the better greedy rule under the same limits"
    assert verdicts(found())[gain] is True  # 3 s of 20.45 s
    assert verdicts(found(twin=some(19.0)))[gain] is False  # 1 s of 20.45 s
    assert verdicts(found(pressure=some(18.0)))[gain] is False  # the better one is another


def test_that_weak_rivals_make_it_void() -> None:
    void = "greedy rules without limits against fixed programmes"
    assert verdicts(found())[void] is True
    gain = "gain over the better greedy rule under the same limits"
    weak = verdicts(found(wave_without_limits=some(23.0)))
    assert weak[void] is False
    assert weak[gain] is None


def test_that_of_other_networks_rivals_are_told_and_gains_judged() -> None:
    told = verdicts(found(), "elsewhere")
    assert told["greedy rules without limits against fixed programmes"] is None
    assert told["gain over the better greedy rule under the same limits"] is True
    assert told["twin against fixed programmes"] is None


def test_that_one_broken_limit_is_one_too_many() -> None:
    twin = some(17.0)
    breach = Violation(Kind.GREEN, "x", 3.0, (1,), 2.0, 5.0)
    twin[4] = replace(twin[4], violations=(breach,))
    assert verdicts(found())["limits that were broken"] is True
    assert verdicts(found(twin=twin))["limits that were broken"] is False


def test_that_one_who_waits_too_long_is_seen() -> None:
    twin = some(17.0)
    twin[2] = replace(twin[2], longest_wait_s=301.0)
    waits = "longest that a vehicle stood in all of its trip"
    assert verdicts(found())[waits] is True
    assert verdicts(found(twin=twin))[waits] is False


def test_that_many_lanes_are_held_to_a_share() -> None:
    share = "twin against fixed programmes"
    runs = {"fixed": some(80.0), "twin": some(30.0)}
    assert verdicts(runs, "ingolstadt7")[share] is True
    assert verdicts(runs | {"twin": some(60.0)}, "ingolstadt7")[share] is False


def test_that_missing_networks_are_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="describes a district"):
        validate(tmp_path)
    (tmp_path / "resco").mkdir()
    with pytest.raises(InputError, match="cologne1"):
        validate(tmp_path)
    with pytest.raises(InputError, match="ablations"):
        validate(tmp_path, ablations=True)
