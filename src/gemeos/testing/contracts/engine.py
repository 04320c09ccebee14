"""The tests that every engine inherits.

Write a class that inherits ``EngineContract`` and has two fixtures: ``engine``, opened and not
begun, which the fixture closes; and ``drive``, which says what to give it. An engine that can be
made to fail inherits ``FailingEngineContract`` as well and says in ``mischief`` how.

"Equal" always means to the last bit, over all that the engine tells of itself.
"""
# ruff: noqa: S101, D102 - these are tests, inherited by those who write an engine

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, TypeVar, cast

import pytest

from gemeos.engines.base import Engine, SupportsFork, SupportsNudge, SupportsSnapshot
from gemeos.engines.outcome import Crashed, Ended, NotFinite, Outcome, TimedOut, Told
from gemeos.engines.spec import SETTABLE, Fork, Kind, Role, Snapshot, Values
from gemeos.errors import InputError, StoppedError, TimeError, UnknownNameError
from gemeos.units.instant import SECOND, Instant

T0: Final[Instant] = 1_780_000_000 * SECOND
SEED: Final = 20260701
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Drive:
    """What the suite gives an engine."""

    steps: int
    """Steps of one run, at least 4: enough for inputs and seeds to show."""
    inputs: Values
    """Held from the beginning."""
    others: Values
    """Of the same names; the run differs with them."""
    params: Values = field(default_factory=dict)
    seed_shows: bool = False
    """Whether another seed makes another run."""


class Mischief(Enum):
    """How an engine can misbehave."""

    CRASH = "crash"
    HANG = "hang"
    NOT_FINITE = "not_finite"
    CHATTER = "chatter"


def told(outcome: Outcome[T]) -> T:
    """The value, where the call did what was asked."""
    assert isinstance(outcome, Told), str(outcome)
    return outcome.value


def all_of(engine: Engine) -> Values:
    """Everything that the engine tells of itself."""
    return told(engine.get(engine.spec.names))


def assert_same(engine: Engine, expected: Values) -> None:
    """All that the engine tells is this, to the last bit, or to a declared resolution."""
    values = all_of(engine)
    for variable in engine.spec.variables:
        one, other = values[variable.name], expected[variable.name]
        if variable.resolution and isinstance(one, float) and isinstance(other, float):
            assert abs(one - other) <= variable.resolution, variable.name
        else:
            assert one == other, variable.name


class _Begun:
    """What both suites do to begin."""

    def begin(self, engine: Engine, drive: Drive, *, seed: int = SEED) -> None:
        told(engine.reset(drive.params, seed, T0))
        told(engine.set(drive.inputs))

    def run(self, engine: Engine, steps: int) -> None:
        told(engine.advance(engine.now + steps * engine.spec.step))


class EngineContract(_Begun):
    """What ``gemeos.engines.base`` promises."""

    @pytest.fixture
    def begun(self, engine: Engine, drive: Drive) -> Engine:
        self.begin(engine, drive)
        return engine

    @contextmanager
    def forked(self, engine: Engine) -> Iterator[Engine]:
        """A fork, or a skip for an engine that says that it has none."""
        if engine.spec.capabilities.fork is Fork.NONE:
            pytest.skip("it declares no fork")
        fork = told(cast("SupportsFork", engine).fork())
        try:
            yield fork
        finally:
            fork.close()

    def kept(self, engine: Engine) -> bytes:
        """A snapshot, or a skip for an engine that says that it has no exact ones."""
        can = engine.spec.capabilities
        exact = can.snapshot is Snapshot.EXACT or (
            can.snapshot is Snapshot.REPLAY and can.deterministic
        )
        if not exact:
            pytest.skip("it declares no exact snapshots")
        return told(cast("SupportsSnapshot", engine).snapshot())

    def test_that_every_name_can_be_read_and_has_a_value_of_its_kind(self, begun: Engine) -> None:
        taken = {Kind.REAL: float, Kind.INTEGER: int, Kind.BOOLEAN: bool, Kind.TEXT: str}
        values = all_of(begun)
        assert list(values) == list(begun.spec.names)
        for variable in begun.spec.variables:
            assert type(values[variable.name]) is taken[variable.kind], variable.name

    def test_that_it_stands_at_its_beginning_and_then_where_it_was_sent(
        self, begun: Engine
    ) -> None:
        assert begun.now == T0
        self.run(begun, 2)
        assert begun.now == T0 + 2 * begun.spec.step

    def test_that_equal_seeds_make_equal_runs(self, begun: Engine, drive: Drive) -> None:
        if not begun.spec.capabilities.deterministic:
            pytest.skip("it declares itself not deterministic")
        self.run(begun, drive.steps)
        first = all_of(begun)
        self.begin(begun, drive)
        self.run(begun, drive.steps)
        assert all_of(begun) == first

    def test_that_another_seed_shows_where_there_is_chance_and_only_there(
        self, begun: Engine, drive: Drive
    ) -> None:
        self.run(begun, drive.steps)
        first = all_of(begun)
        self.begin(begun, drive, seed=SEED + 1)
        self.run(begun, drive.steps)
        assert (all_of(begun) != first) is drive.seed_shows

    def test_that_a_way_in_many_calls_is_the_way_in_one(self, begun: Engine, drive: Drive) -> None:
        self.run(begun, drive.steps)
        at_once = all_of(begun)
        self.begin(begun, drive)
        for _ in range(drive.steps):
            self.run(begun, 1)
        assert all_of(begun) == at_once

    def test_that_looking_changes_nothing(self, begun: Engine, drive: Drive) -> None:
        self.run(begun, drive.steps)
        unseen = all_of(begun)
        self.begin(begun, drive)
        for _ in range(2):
            self.run(begun, drive.steps // 2)
            all_of(begun)
            all_of(begun)
        self.run(begun, drive.steps - 2 * (drive.steps // 2))
        assert all_of(begun) == unseen

    def test_that_what_is_set_reads_as_set_and_holds_until_set_again(
        self, begun: Engine, drive: Drive
    ) -> None:
        assert told(begun.get(drive.inputs)) == drive.inputs
        self.run(begun, drive.steps)
        assert told(begun.get(drive.inputs)) == drive.inputs
        once = all_of(begun)
        self.begin(begun, drive)
        for _ in range(drive.steps):
            told(begun.set(drive.inputs))
            self.run(begun, 1)
        assert all_of(begun) == once

    def test_that_what_is_set_shows_in_what_comes(self, begun: Engine, drive: Drive) -> None:
        follows = [v.name for v in begun.spec.of_role(Role.STATE, Role.OUTPUT)]
        self.run(begun, drive.steps)
        first = told(begun.get(follows))
        self.begin(begun, drive)
        told(begun.set(drive.others))
        self.run(begun, drive.steps)
        assert told(begun.get(follows)) != first

    def test_that_a_reset_forgets_what_was_set(self, begun: Engine, drive: Drive) -> None:
        told(begun.reset(drive.params, SEED, T0))
        self.run(begun, drive.steps)
        untouched = all_of(begun)
        self.begin(begun, drive)
        told(begun.set(drive.others))
        self.run(begun, 1)
        told(begun.reset(drive.params, SEED, T0))
        self.run(begun, drive.steps)
        assert all_of(begun) == untouched

    def test_that_a_fork_goes_on_as_its_origin_does(self, begun: Engine, drive: Drive) -> None:
        self.run(begun, drive.steps)
        with self.forked(begun) as fork:
            assert fork.now == begun.now
            assert all_of(fork) == all_of(begun)
            self.run(fork, drive.steps)
            self.run(begun, drive.steps)
            assert all_of(fork) == all_of(begun)
        after = all_of(begun)
        self.begin(begun, drive)
        self.run(begun, 2 * drive.steps)
        assert all_of(begun) == after  # as if it had never been forked

    def test_that_an_origin_does_not_feel_what_its_fork_does(
        self, begun: Engine, drive: Drive
    ) -> None:
        self.run(begun, drive.steps)
        alone = all_of(begun)
        with self.forked(begun) as fork:
            told(fork.set(drive.others))
            self.run(fork, drive.steps)
            assert begun.now == T0 + drive.steps * begun.spec.step
            assert all_of(begun) == alone
            self.run(begun, drive.steps)
            assert all_of(begun) != all_of(fork)

    def test_that_a_fork_of_a_fork_outlives_both(self, begun: Engine, drive: Drive) -> None:
        self.run(begun, drive.steps)
        with self.forked(begun) as fork, self.forked(fork) as second:
            fork.close()
            self.run(begun, drive.steps)
            expected = all_of(begun)
            begun.close()
            self.run(second, drive.steps)
            assert all_of(second) == expected

    def test_that_what_is_restored_goes_on_as_the_original_did(
        self, begun: Engine, drive: Drive
    ) -> None:
        self.run(begun, drive.steps)
        kept = self.kept(begun)
        there = all_of(begun)
        self.run(begun, drive.steps)
        expected = all_of(begun)
        self.begin(begun, drive, seed=SEED + 1)
        told(begun.set(drive.others))
        told(cast("SupportsSnapshot", begun).restore(kept))
        assert begun.now == T0 + drive.steps * begun.spec.step
        assert_same(begun, there)
        self.run(begun, drive.steps)
        assert_same(begun, expected)

    def test_that_what_is_no_snapshot_is_refused(self, begun: Engine) -> None:
        if begun.spec.capabilities.snapshot is Snapshot.NONE:
            pytest.skip("it declares no snapshots")
        before = all_of(begun)
        with pytest.raises(InputError):
            cast("SupportsSnapshot", begun).restore(b"not a snapshot")
        assert all_of(begun) == before

    def test_that_what_is_nudged_is_where_it_was_put(self, begun: Engine, drive: Drive) -> None:
        names = sorted(begun.spec.capabilities.nudge)
        if not names:
            pytest.skip("it declares nothing that can be nudged")
        self.run(begun, drive.steps)
        written = {n: v for n, v in told(begun.get(names)).items() if isinstance(v, float)}
        written = {name: value + 0.125 for name, value in written.items()}
        told(cast("SupportsNudge", begun).nudge(dict(written)))
        assert told(begun.get(names)) == written

    def test_that_it_only_goes_forward(self, begun: Engine) -> None:
        self.run(begun, 3)
        before = all_of(begun)
        with pytest.raises(TimeError, match="only goes forward"):
            begun.advance(begun.now - begun.spec.step)
        assert all_of(begun) == before
        assert begun.now == T0 + 3 * begun.spec.step

    def test_that_a_time_between_two_steps_is_refused(self, begun: Engine) -> None:
        with pytest.raises(TimeError, match="in steps of"):
            begun.advance(T0 + begun.spec.step + 1)
        assert begun.now == T0

    def test_that_unknown_names_are_refused_with_the_nearest_that_is(
        self, begun: Engine, drive: Drive
    ) -> None:
        near = next(iter(drive.inputs))
        before = all_of(begun)
        with pytest.raises(UnknownNameError, match="Did you mean"):
            begun.get([near + "x"])
        with pytest.raises(UnknownNameError, match="Did you mean"):
            begun.set({near + "x": drive.inputs[near]})
        with pytest.raises(UnknownNameError):
            begun.reset({near + "x": 1.0}, SEED, T0)
        assert all_of(begun) == before

    def test_that_what_follows_from_others_cannot_be_set(self, begun: Engine) -> None:
        fixed = [v for v in begun.spec.variables if v.role not in SETTABLE and not v.tunable]
        value = told(begun.get([fixed[0].name]))
        with pytest.raises(UnknownNameError):
            begun.set(value)

    def test_that_a_value_that_no_variable_can_have_is_refused(
        self, begun: Engine, drive: Drive
    ) -> None:
        before = told(begun.get(drive.inputs))
        for name in drive.inputs:
            kind = begun.spec.by_name[name].kind
            wrong = 1.5 if kind is Kind.TEXT else float("nan")
            with pytest.raises(InputError):
                begun.set({name: wrong})
        assert told(begun.get(drive.inputs)) == before

    def test_that_it_is_told_when_it_was_not_begun(self, engine: Engine) -> None:
        for call in self.calls(engine):
            with pytest.raises(StoppedError, match="not begun"):
                call()

    def test_that_it_is_told_when_it_is_closed(self, begun: Engine, drive: Drive) -> None:
        begun.close()
        begun.close()
        for call in self.calls(begun):
            with pytest.raises(StoppedError, match="closed"):
                call()
        with pytest.raises(StoppedError, match="closed"):
            begun.reset(drive.params, SEED, T0)

    def calls(self, engine: Engine) -> list[Callable[[], object]]:
        return [
            lambda: engine.now,
            lambda: engine.get([]),
            lambda: engine.set({}),
            lambda: engine.advance(T0),
        ]


class FailingEngineContract(_Begun):
    """What ``gemeos.engines.base`` promises of engines that fail.

    Fixtures: ``engine`` and ``drive`` as for ``EngineContract``; ``mischief``, which says for a
    ``Mischief`` what is to be set so that the next step does it, or skips; ``limit_s``, the
    seconds that a call may take.
    """

    @pytest.fixture
    def provoked(
        self, engine: Engine, drive: Drive, mischief: Callable[[Mischief], Values]
    ) -> Callable[[Mischief], Engine]:
        def make(kind: Mischief) -> Engine:
            values = mischief(kind)
            self.begin(engine, drive)
            self.run(engine, 1)
            told(engine.set(values))
            return engine

        return make

    def assert_ended(self, engine: Engine, drive: Drive, ended: Ended) -> None:
        """It stays ended, and can begin anew."""
        assert engine.advance(engine.now + engine.spec.step) == ended
        assert engine.set(drive.inputs) == ended
        assert engine.get(engine.spec.names[:1]) == ended
        self.begin(engine, drive)
        self.run(engine, drive.steps)

    def next_step(self, engine: Engine) -> Outcome[None]:
        return engine.advance(engine.now + engine.spec.step)

    def test_that_a_crash_is_a_value_with_last_words(
        self, provoked: Callable[[Mischief], Engine], drive: Drive
    ) -> None:
        engine = provoked(Mischief.CRASH)
        crashed = self.next_step(engine)
        assert isinstance(crashed, Crashed), str(crashed)
        assert crashed.said
        assert engine.now == T0 + engine.spec.step
        self.assert_ended(engine, drive, crashed)

    def test_that_a_hang_is_a_value_as_soon_as_the_limit_is_over(
        self, provoked: Callable[[Mischief], Engine], drive: Drive, limit_s: float
    ) -> None:
        engine = provoked(Mischief.HANG)
        began = time.monotonic()
        hung = self.next_step(engine)
        took = time.monotonic() - began
        assert isinstance(hung, TimedOut), str(hung)
        assert hung.limit == limit_s * SECOND
        assert limit_s <= took < limit_s + 5
        self.assert_ended(engine, drive, hung)

    def test_that_a_number_that_is_not_finite_is_a_value_with_its_name(
        self, provoked: Callable[[Mischief], Engine], drive: Drive
    ) -> None:
        engine = provoked(Mischief.NOT_FINITE)
        self.next_step(engine)
        lost = engine.get(engine.spec.names)
        assert isinstance(lost, NotFinite), str(lost)
        assert set(lost.names) < set(engine.spec.names)
        self.assert_ended(engine, drive, lost)

    def test_that_chatter_is_told_beside_the_answer_and_changes_none(
        self, provoked: Callable[[Mischief], Engine], drive: Drive
    ) -> None:
        engine = provoked(Mischief.CHATTER)
        outcome = self.next_step(engine)
        assert isinstance(outcome, Told), str(outcome)
        assert outcome.said
        follows = [v.name for v in engine.spec.of_role(Role.STATE, Role.OUTPUT)]
        noisy = told(engine.get(follows))
        self.begin(engine, drive)
        self.run(engine, 2)
        assert told(engine.get(follows)) == noisy
