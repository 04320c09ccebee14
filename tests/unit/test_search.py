from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pytest
from jaxtyping import Float64

from gemeos.errors import InputError
from gemeos.foresee.goal import Goal, Samples
from gemeos.foresee.search import Ending, Evaluate, Found, Members, Method, Progress, search
from gemeos.foresee.search.base import Trials
from gemeos.foresee.search.choose import chosen
from gemeos.foresee.search.evolve import evolve
from gemeos.foresee.search.halving import halve
from gemeos.foresee.search.sampled import front
from gemeos.foresee.space import Candidate, Choice, Continuous, Integer, Space, Value, When

LOSS = Goal.of({"loss": ""}, minimise="loss")
BOTH = Goal.of({"left": "", "right": ""}, minimise=["left", "right"])
BOUNDED = Goal.of({"loss": "", "load": ""}, minimise="loss", subject_to="P(load > 1) < 0.2")
WAVE = Space((Continuous("a", -1.0, 3.0), Continuous("b", 0.0, 10.0)))
MODES = Space(
    (
        Choice("mode", ("off", "on")),
        Continuous("power", 0.0, 1.0, when=When("mode", ("on",))),
        Integer("wait", 0, 9, when=When("mode", ("off",))),
    )
)

Truth = Callable[[Mapping[str, Value]], Sequence[float]]
"""What each row of the answer is without luck."""


def number(candidate: Mapping[str, Value], name: str) -> float:
    return float(candidate[name])


def bowl(candidate: Mapping[str, Value]) -> Sequence[float]:
    """Least, nought, at a = 1, b = 4."""
    return [(number(candidate, "a") - 1) ** 2 + 0.1 * (number(candidate, "b") - 4) ** 2]


def valley(candidate: Mapping[str, Value]) -> Sequence[float]:
    """Least at full power; switched off, best after waiting 7."""
    if candidate["mode"] == "on":
        return [1.0 - number(candidate, "power")]
    return [0.5 + abs(number(candidate, "wait") - 7)]


class Plant:
    """Members with luck of their own, most of which all candidates share."""

    def __init__(self, truth: Truth, *, luck: float = 0.3, parts: int = 1, seed: int = 7) -> None:
        self.asked: list[tuple[list[Candidate], Members]] = []
        self._truth, self._luck, self._parts, self._seed = truth, luck, parts, seed

    def __call__(self, candidates: Sequence[Candidate], members: Members) -> Samples:
        self.asked.append((list(candidates), members))
        rows = np.array([self._truth(c) for c in candidates])[:, :, None]
        gave = rows + self._luck * self._of(members)
        return Samples(gave[:, : self._parts], (gave[:, self._parts :] > 1.0).astype(float))

    def _of(self, members: Members) -> Float64[np.ndarray, " member"]:
        numbers = range(members.first, members.end)
        return np.array([np.random.default_rng([self._seed, n]).normal() for n in numbers])

    @property
    def runs(self) -> int:
        return sum(len(c) * m.count for c, m in self.asked)


def found(space: Space, goal: Goal, evaluate: Evaluate, runs: int, **rest: object) -> Found:
    return search(space, goal, evaluate, runs=runs, seed=3, **rest)  # type: ignore[arg-type]  # by name


METHODS = [
    (Space((Choice("a", (0, 1, 2)), Integer("b", 1, 8))), LOSS, Plant(bowl), 200),
    (WAVE, LOSS, Plant(bowl), 300),
    (MODES, LOSS, Plant(valley), 300),
    (
        WAVE,
        BOTH,
        Plant(lambda c: [number(c, "a") ** 2, (number(c, "a") - 1) ** 2], parts=2),
        600,
    ),
]
NAMES = ["successive halving", "CMA-ES", "TPE", "NSGA-II"]


@pytest.mark.parametrize(
    ("space", "goal", "plant", "runs", "method"),
    [(*case, name) for case, name in zip(METHODS, NAMES, strict=True)],
    ids=NAMES,
)
def test_that_a_seed_gives_the_same_answer_whatever_the_size_of_batches(
    space: Space, goal: Goal, plant: Plant, runs: int, method: str
) -> None:
    plant.asked.clear()
    once = found(space, goal, plant, runs)
    assert once.method == method
    assert plant.runs == once.runs <= runs
    assert once.seen == max(m.end for _, m in plant.asked)
    assert once.tried == len({c for batch, _ in plant.asked for c in batch})
    for at_once in (1, 7):
        plant.asked.clear()
        assert found(space, goal, plant, runs, at_once=at_once) == once
        assert all(len(c) * m.count <= at_once for c, m in plant.asked)
    for batch, _ in plant.asked:
        for candidate in batch:
            space.check(candidate)


def test_that_the_method_is_chosen_by_the_space_and_the_number_of_objectives() -> None:
    numbers = Space((Continuous("a", 0.0, 1.0), Integer("b", 0, 9)))
    listed = Space((Choice("a", tuple(range(50))),))
    many = Space((Integer("a", 0, 10**6),))
    assert chosen(listed, LOSS, 100) is Method.HALVING
    assert chosen(listed, LOSS, 99) is Method.TPE
    assert chosen(many, LOSS, 1000) is Method.CMA
    assert chosen(numbers, LOSS, 1000) is Method.CMA
    assert chosen(MODES, LOSS, 1000) is Method.TPE
    assert chosen(listed, BOTH, 1000) is Method.PARETO


def test_that_without_luck_halving_finds_the_best_of_a_list() -> None:
    space = Space((Choice("a", (0, 1, 2)), Integer("b", 1, 8)))
    best = found(space, LOSS, Plant(bowl, luck=0.0), 100).finalists
    assert best[:1] == (Candidate.of({"a": 1, "b": 4}),)
    # 0.1 away on either side: told after it, in order of the list.
    assert [dict(c) for c in best[1:3]] == [{"a": 1, "b": 3}, {"a": 1, "b": 5}]


def test_that_all_candidates_of_a_round_have_the_same_members_and_each_member_once() -> None:
    plant = Plant(bowl)
    halve(
        [Candidate.of({"a": float(i), "b": 4.0}) for i in range(16)], Trials(LOSS, plant, runs=400)
    )
    assert [len(c) for c, _ in plant.asked] == [16, 8, 4, 2]
    assert [m.first for _, m in plant.asked[1:]] == [m.end for _, m in plant.asked[:-1]]
    # A quarter of 400 runs in each round.
    assert [len(c) * m.count for c, m in plant.asked] == pytest.approx([100] * 4, abs=15)


def test_that_a_goal_with_a_tail_is_not_judged_by_one_member() -> None:
    plant = Plant(bowl)
    goal = Goal.of({"loss": ""}, minimise="cvar(0.9, loss)")
    halve(
        [Candidate.of({"a": float(i), "b": 4.0}) for i in range(16)], Trials(goal, plant, runs=400)
    )
    assert plant.asked[0][1].count >= 10


def test_that_whole_numbers_are_found_between_their_limits() -> None:
    space = Space((Continuous("a", -1.0, 3.0), Integer("b", 0, 1000)))
    best = found(space, LOSS, Plant(bowl, luck=0.1), 2000).finalists[0]
    assert isinstance(best["b"], int)
    # The loss of b = 3 or 5 is 0.1: less than a twentieth of what is lost at the start.
    assert bowl(best)[0] < 0.3


def test_that_an_optimum_at_the_edge_is_reached_and_not_passed() -> None:
    space = Space((Continuous("a", 1.5, 3.0), Continuous("b", 0.0, 10.0)))
    best = found(space, LOSS, Plant(bowl, luck=0.1), 1000).finalists[0]
    assert 1.5 <= number(best, "a") < 1.55


def test_that_generations_have_members_of_their_own_and_share_them() -> None:
    plant = Plant(bowl)
    evolve(WAVE, Trials(LOSS, plant, runs=300), seed=1)
    firsts = [m.first for _, m in plant.asked]
    assert firsts == sorted(set(firsts))
    assert all(len(batch) >= 2 for batch, _ in plant.asked)


def test_that_the_present_plan_is_compared_in_the_end() -> None:
    # Nowhere is anything better than there, and everywhere else is much the same.
    start = Candidate.of({"a": 1.25, "b": 4.5})

    def hole(candidate: Mapping[str, Value]) -> Sequence[float]:
        return [0.0 if candidate == start else 10.0]

    assert found(WAVE, LOSS, Plant(hole), 300, start=start).finalists[0] == start
    off = Candidate.of({"mode": "off", "wait": 7})
    assert off in found(MODES, LOSS, Plant(valley), 300, start=off).finalists


def test_that_a_conditional_space_is_searched_without_inactive_values() -> None:
    plant = Plant(valley)
    best = found(MODES, LOSS, plant, 400).finalists[0]
    assert best["mode"] == "on"
    assert number(best, "power") > 0.9
    asked = {c for batch, _ in plant.asked for c in batch}
    assert {tuple(c) for c in asked} == {("mode", "power"), ("mode", "wait")}


def test_that_a_small_list_ends_when_all_of_it_was_tried() -> None:
    few = Space((Choice("a", (0, 1)), Choice("b", (4, 5))))
    ended = found(few, LOSS, Plant(bowl), 5000, method=Method.TPE)
    assert ended.tried == 4
    assert ended.ending is Ending.DONE
    assert ended.finalists[0] == {"a": 1, "b": 4}


@pytest.mark.parametrize("method", [Method.CMA, Method.TPE])
def test_that_what_breaks_a_constraint_comes_after_what_keeps_it(method: Method) -> None:
    # The least loss is at a = 1; the load there is 2 and may be 1: it is a - 1 beyond a = 2.
    def loaded(candidate: Mapping[str, Value]) -> Sequence[float]:
        a = number(candidate, "a")
        return [(a - 1) ** 2, 3.0 - a]

    space = Space((Continuous("a", -1.0, 3.0),))
    best = found(space, BOUNDED, Plant(loaded, luck=0.05), 1500, method=method).finalists[0]
    assert 2.0 <= number(best, "a") < 2.3


def test_that_failed_candidates_are_never_found() -> None:
    def broken(candidates: Sequence[Candidate], members: Members) -> Samples:
        rows = np.array([bowl(c)[0] if c["a"] > 1.5 else np.nan for c in candidates])  # type: ignore[operator]  # a number
        parts = np.repeat(rows[:, None, None], members.count, axis=2)
        return Samples(parts, np.empty((len(candidates), 0, members.count)))

    assert number(found(WAVE, LOSS, broken, 400).finalists[0], "a") > 1.5
    nowhere = Space((Continuous("a", -1.0, 1.0), Continuous("b", 0.0, 1.0)))
    assert found(nowhere, LOSS, broken, 400, method=Method.TPE).finalists == ()
    assert found(nowhere, LOSS, broken, 400).finalists == ()
    listed = Space((Choice("a", (0, 1)), Choice("b", (4, 5))))
    assert found(listed, LOSS, broken, 400).finalists == ()


@pytest.mark.parametrize(("space", "goal", "plant", "runs"), METHODS, ids=NAMES)
def test_that_a_search_that_is_stopped_ends_with_what_it_has(
    space: Space, goal: Goal, plant: Plant, runs: int
) -> None:
    plant.asked.clear()
    early = found(space, goal, plant, runs, stop=lambda: len(plant.asked) >= 2, at_once=1)
    assert early.ending is Ending.STOPPED
    assert len(plant.asked) == 2
    never_begun = found(space, goal, plant, runs, stop=lambda: True)
    assert (never_begun.finalists, never_begun.runs) == ((), 0)


@pytest.mark.parametrize(("space", "goal", "plant", "runs"), METHODS, ids=NAMES)
def test_that_progress_is_told_with_the_best_so_far(
    space: Space, goal: Goal, plant: Plant, runs: int
) -> None:
    told: list[Progress] = []
    ended = found(space, goal, plant, runs, progress=told.append)
    spent = [p.runs for p in told]
    assert len(told) >= 2
    assert spent == sorted(spent)
    assert all(p.of == runs for p in told)
    assert spent[-1] <= ended.runs
    for one in told:
        assert one.best is not None
        space.check(one.best)


def test_that_progress_is_told_in_the_sense_of_the_objective() -> None:
    told: list[Progress] = []
    much = Goal.of({"loss": ""}, maximise="loss")
    listed = Space((Choice("a", (0, 1)), Choice("b", (4, 5))))
    found(listed, much, Plant(bowl, luck=0.0), 40, progress=told.append)
    # The most is at a = 0, b = 5: 1 + 0.1.
    assert told[-1].value == pytest.approx(1.1)


@pytest.mark.parametrize(
    ("space", "runs", "rest", "said"),
    [
        (WAVE, 0, {}, "its budget is 0"),
        (WAVE, 10, {}, "needs at least 18 runs; 10 are allowed"),
        (MODES, 5, {}, "needs at least 8 runs"),
        (Space((Choice("a", (0, 1, 2)),)), 2, {"method": Method.HALVING}, "3 candidates need"),
        (WAVE, 100, {"method": Method.HALVING}, "a may be any number"),
        (MODES, 100, {"method": Method.CMA}, "lists or conditions"),
        (Space((Integer("a", 0, 10**6),)), 10**6, {"method": Method.HALVING}, "too many"),
        (WAVE, 100, {"start": Candidate.of({"a": 9.0, "b": 1.0})}, "a cannot be 9.0"),
        (WAVE, 100, {"at_once": 0}, "not 0"),
    ],
)
def test_that_a_search_that_cannot_be_is_refused(
    space: Space, runs: int, rest: dict[str, object], said: str
) -> None:
    with pytest.raises(InputError) as told:
        found(space, LOSS, Plant(bowl), runs, **rest)
    assert said in str(told.value)


def test_that_several_objectives_have_no_one_best() -> None:
    with pytest.raises(InputError, match="2 objectives have a front"):
        found(WAVE, BOTH, Plant(bowl), 100, method=Method.CMA)
    with pytest.raises(InputError, match="needs at least 48 runs"):
        found(WAVE, BOTH, Plant(bowl), 40)


def test_that_samples_that_were_not_asked_for_are_refused() -> None:
    def short(candidates: Sequence[Candidate], members: Members) -> Samples:
        return Samples(
            np.zeros((len(candidates), 2, members.count)),
            np.zeros((len(candidates), 0, members.count)),
        )

    with pytest.raises(InputError, match="were asked for"):
        found(WAVE, LOSS, short, 100)


def test_that_a_missing_library_is_told_with_what_brings_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(InputError, match=r"pip install 'gemeos\[search\]'"):
        found(MODES, LOSS, Plant(valley), 100)


def test_that_the_library_is_as_talkative_after_a_search_as_before(
    capsys: pytest.CaptureFixture[str],
) -> None:
    import optuna  # noqa: PLC0415  # the extra, asked for its state

    before = optuna.logging.get_verbosity()
    found(MODES, LOSS, Plant(valley), 100)
    assert optuna.logging.get_verbosity() == before
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(("space", "goal", "plant", "runs"), METHODS, ids=NAMES)
def test_that_runs_of_whole_blocks_of_members_are_counted_as_one(
    space: Space, goal: Goal, plant: Plant, runs: int
) -> None:
    plant.asked.clear()
    ended = found(space, goal, plant, runs, block=4, at_once=5)
    assert all(m.first % 4 == 0 and m.count % 4 == 0 for _, m in plant.asked)
    assert plant.runs == 4 * ended.runs <= 4 * runs
    assert ended.seen == max(m.end for _, m in plant.asked)
    with pytest.raises(InputError, match="at least one member, not 0"):
        found(space, goal, plant, runs, block=0)


def test_that_members_are_numbered_from_nought() -> None:
    assert Members(3, 4).end == 7
    with pytest.raises(InputError, match="are none"):
        Members(0, 0)


def test_that_a_front_has_what_nothing_else_beats() -> None:
    cost = np.array([[1, 5], [2, 2], [3, 3], [2, 2], [5, 1], [1, 6], [np.inf, 0], [0.5, 9]])
    assert [cost[i].tolist() for i in front(cost)] == [[0.5, 9], [1, 5], [2, 2], [5, 1]]


def test_that_a_list_with_several_objectives_is_gone_through() -> None:
    # Left is a^2, right (a - 2)^2: nothing between 0 and 2 beats anything else there.
    def sides(candidate: Mapping[str, Value]) -> Sequence[float]:
        a = number(candidate, "a")
        return [a**2, (a - 2) ** 2]

    space = Space((Integer("a", -3, 5),))
    ended = found(space, BOTH, Plant(sides, parts=2), 200)
    assert ended.method == "all compared"
    assert [c["a"] for c in ended.finalists] == [0, 1, 2]


def test_that_the_front_of_two_parabolas_lies_between_their_ends() -> None:
    # Front of x^2 + y^2 and (x - 1)^2 + y^2: y = 0 and 0 <= x <= 1; there sqrt(f) + sqrt(g) = 1.
    def both(candidate: Mapping[str, Value]) -> Sequence[float]:
        x, y = number(candidate, "x"), number(candidate, "y")
        return [x**2 + y**2, (x - 1) ** 2 + y**2]

    space = Space((Continuous("x", -4.0, 4.0), Continuous("y", -4.0, 4.0)))
    front_ = found(space, BOTH, Plant(both, luck=0.1, parts=2), 6000).finalists
    values = np.array([both(c) for c in front_])
    assert len(values) >= 10
    assert (np.sqrt(values).sum(axis=1) < 1.15).all()
    # It reaches towards both ends, and no neighbours are far apart.
    assert values[:, 0].min() < 0.05
    assert values[:, 1].min() < 0.05
    assert np.diff(np.sqrt(np.sort(values[:, 0]))).max() < 0.3


def test_that_many_objectives_are_bred_by_reference_points() -> None:
    names = ["p", "q", "r", "s"]
    four = Goal.of(dict.fromkeys(names, ""), minimise=names)

    def corners(candidate: Mapping[str, Value]) -> Sequence[float]:
        x, y = number(candidate, "a"), number(candidate, "b")
        return [x**2 + y**2, (x - 1) ** 2 + y**2, x**2 + (y - 1) ** 2, (x - 1) ** 2 + (y - 1) ** 2]

    ended = found(WAVE, four, Plant(corners, luck=0.05, parts=4), 3000)
    assert ended.method == "NSGA-III"
    # The front is the square between the four corners.
    inside = [-0.2 < number(c, n) < 1.2 for c in ended.finalists for n in ("a", "b")]
    assert len(ended.finalists) >= 10
    assert np.mean(inside) > 0.9
