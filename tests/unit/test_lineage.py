"""Simulations as values: equal lineages are equal, however often they are run again."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from gemeos.engines import lineage
from gemeos.engines.base import SupportsFork
from gemeos.engines.keeper import Asked, Keeper
from gemeos.engines.lineage import Simulation, Stretch
from gemeos.engines.outcome import Failed
from gemeos.engines.spec import Capabilities, Fork, Spec
from gemeos.ensemble.simulation import Stored
from gemeos.errors import EngineError, InputError, TimelineError, UnknownNameError
from gemeos.units.instant import SECOND
from tests.contracts.tank_engine import VARIABLES, Forgetful, Rounding, TankEngine

ASKED = Asked(("level", "drained"), frozenset({"drained"}))
T0 = 1_750_000_000 * SECOND


@pytest.fixture(autouse=True)
def nothing_left_open() -> Iterator[None]:
    yield
    gc.collect()
    assert len(TankEngine.open_ones) == 0


def keeper(kind: type[TankEngine] = TankEngine, *, most: int = 100) -> Keeper:
    return Keeper(kind, ASKED, most=most)


def way(steps: int, *, first: int = 0, leak: float = 0.1) -> list[Stretch]:
    return [
        Stretch({"leak": leak, "inflow": 0.0}, T0 + (k + 1) * SECOND)
        for k in range(first, first + steps)
    ]


def gone(of: Keeper, start: Simulation, stretches: list[Stretch]) -> Simulation:
    moved = of.moved(start, stretches)
    assert isinstance(moved, Simulation)
    return moved


def test_that_a_value_stays_where_it_is_when_it_is_gone_on_from() -> None:
    of = keeper()
    start = of.begun({}, 1, T0)
    # Two metres of which a tenth leaves each second.
    first = gone(of, start, way(1))
    assert first.outputs == pytest.approx((1.8, 0.2))
    second = gone(of, first, way(1, first=1))
    assert second.outputs == pytest.approx((1.62, 0.18))
    assert first.outputs == pytest.approx((1.8, 0.2))
    assert (first.at, second.at) == (T0 + SECOND, T0 + 2 * SECOND)
    of.close()


def test_that_some_stretches_in_one_call_are_the_same_as_in_several() -> None:
    of, other = keeper(), keeper()
    one = gone(of, of.begun({"gust": 0.1}, 1, T0), way(5))
    half = gone(other, other.begun({"gust": 0.1}, 1, T0), way(2))
    two = gone(other, half, way(3, first=2))
    assert (one.identity, one.outputs) == (two.identity, two.outputs)
    of.close()
    other.close()


def test_that_other_seeds_params_or_settings_are_other_simulations() -> None:
    of = keeper()
    start = of.begun({}, 1, T0)
    others = [of.begun({}, 2, T0), of.begun({"gust": 0.1}, 1, T0), of.begun({}, 1, T0 + SECOND)]
    assert len({s.identity for s in (start, *others)}) == 4
    assert gone(of, start, way(1)).identity != gone(of, start, way(1, leak=0.2)).identity
    of.close()


@pytest.mark.parametrize("kind", [TankEngine, Forgetful, Rounding])
def test_that_it_goes_on_equally_after_its_process_was_let_go_of(kind: type[TankEngine]) -> None:
    of, other = keeper(kind), keeper(kind)
    start = {"gust": 0.1}
    # Beyond an anchor, so that some of it rests on a snapshot where there is one.
    steps = lineage.ANCHOR_EVERY + 3
    here = gone(of, of.begun(start, 1, T0), way(steps))
    straight = gone(of, here, way(4, first=steps)).outputs
    there = gone(other, other.begun(start, 1, T0), way(steps))
    other.close()
    assert other.living == 0
    assert gone(other, there, way(4, first=steps)).outputs == straight
    of.close()
    other.close()


@pytest.mark.parametrize("kind", [TankEngine, Forgetful, Rounding])
def test_that_it_goes_on_equally_from_bytes(kind: type[TankEngine]) -> None:
    of, other = keeper(kind), keeper(kind)
    steps = lineage.ANCHOR_EVERY + 3
    here = gone(of, of.begun({"gust": 0.1}, 1, T0), way(steps))
    stored = Stored(here.identity, here.at, here.packed())
    further = way(4, first=steps)
    again = other.moved(stored, further)
    assert isinstance(again, Simulation)
    straight = gone(of, here, further)
    assert (again.identity, again.outputs) == (straight.identity, straight.outputs)
    of.close()
    other.close()


def test_that_what_is_kept_in_bytes_is_no_longer_than_from_the_last_snapshot() -> None:
    of = keeper()
    short = gone(of, of.begun({}, 1, T0), way(2 * lineage.ANCHOR_EVERY))
    long = gone(of, short, way(8 * lineage.ANCHOR_EVERY, first=2 * lineage.ANCHOR_EVERY))
    assert len(long.packed()) < 2 * len(short.packed())
    of.close()


def test_that_bytes_of_another_simulation_are_refused() -> None:
    of = keeper()
    here = gone(of, of.begun({}, 1, T0), way(3))
    other = gone(of, here, way(1, first=3))
    with pytest.raises(TimelineError, match="not the one"):
        of.moved(Stored(other.identity, other.at, here.packed()), way(1, first=4))
    with pytest.raises(TimelineError, match="cannot be read"):
        of.moved(Stored(other.identity, other.at, b"nothing"), way(1, first=4))
    of.close()


def test_that_no_more_processes_wait_than_are_allowed() -> None:
    of = keeper(most=5)
    held = [gone(of, of.begun({"gust": 0.1}, seed, T0), way(2)) for seed in range(20)]
    assert of.living <= 5
    # The one that nothing is begun in, from which others come, is beside them.
    assert len(TankEngine.open_ones) <= 6
    want = [each.outputs for each in held]
    again = keeper()
    assert [
        gone(again, again.begun({"gust": 0.1}, seed, T0), way(2)).outputs for seed in range(20)
    ] == want
    of.close()
    again.close()


def test_that_a_process_ends_when_nobody_refers_to_the_value() -> None:
    of = keeper()
    here = gone(of, of.begun({}, 1, T0), way(1))
    before = len(TankEngine.open_ones)
    further = gone(of, here, way(1, first=1))
    assert len(TankEngine.open_ones) == before + 1
    del further
    assert len(TankEngine.open_ones) == before
    of.close()


def test_that_what_is_only_told_leaves_nothing() -> None:
    of = keeper()
    here = gone(of, of.begun({}, 1, T0), way(1))
    before = len(TankEngine.open_ones)
    told = of.told(here, way(2, first=1))
    assert isinstance(told, list)
    assert told[0] == pytest.approx((1.62, 0.18))
    assert told[1] == pytest.approx((1.458, 0.162))
    assert len(TankEngine.open_ones) == before
    of.close()


def test_that_a_failure_is_a_value_and_leaves_nothing() -> None:
    of = keeper()
    start = of.begun({}, 1, T0)
    assert gone(of, start, way(1)).outputs
    before = len(TankEngine.open_ones)
    assert of.moved(start, way(2, leak=0.9)) == Failed("it burst")
    assert of.told(start, way(2, leak=0.9)) == Failed("it burst")
    refused = of.moved(start, way(1, leak=-1.0))
    assert isinstance(refused, Failed)
    assert "lies between" in refused.why
    assert len(TankEngine.open_ones) <= before
    of.close()


def test_that_what_cannot_be_kept_is_refused_when_it_is_opened() -> None:
    def with_capabilities(can: Capabilities) -> type[TankEngine]:
        return type("Odd", (TankEngine,), {"spec": Spec("odd", "1", SECOND, VARIABLES, can)})

    with pytest.raises(EngineError, match="cannot be forked"):
        _ = keeper(with_capabilities(Capabilities())).spec
    with pytest.raises(EngineError, match="does not go the same way twice"):
        _ = keeper(with_capabilities(Capabilities(fork=Fork.IN_PROCESS, deterministic=False))).spec
    with pytest.raises(UnknownNameError, match="Level"):
        _ = Keeper(TankEngine, Asked(("Level",))).spec
    with pytest.raises(InputError, match="is a text"):
        _ = Keeper(TankEngine, Asked(("valve",))).spec
    gc.collect()
    for engine in list(TankEngine.open_ones):
        engine.close()


def test_that_an_engine_is_opened_when_it_is_needed() -> None:
    opened: list[SupportsFork] = []

    def counted() -> SupportsFork:
        opened.append(TankEngine())
        return opened[-1]

    of = Keeper(counted, ASKED)
    assert not opened
    gone(of, of.begun({}, 1, T0), way(1))
    assert len(opened) == 2  # one that stays unbegun, and one that was begun
    of.close()
