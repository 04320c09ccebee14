from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from gemeos.errors import InputError
from gemeos.foresee.goal import Goal, Samples
from gemeos.foresee.search import Members
from gemeos.foresee.space import DO_NOTHING, Candidate
from gemeos.foresee.verdict import Advice, Verdict, fresh_members, verdict

LOSS = Goal.of({"loss": "kW"}, minimise="loss")
GUARDED = Goal.of({"loss": "kW", "load": "kN"}, minimise="loss", subject_to="P(load > 1 kN) < 0.05")
FRESH = Members(1000, 200, fresh=True)

BETTER, SAME, OTHER, WORSE = (
    Candidate.of({"name": n}) for n in ("better", "same", "other", "worse")
)
GAIN: Mapping[Candidate, float] = {DO_NOTHING: 0, BETTER: 1, SAME: 0, OTHER: 0.9, WORSE: -1}


class Plant:
    """Members with large luck that all candidates share, and a little of their own."""

    def __init__(
        self,
        *,
        breaks: Mapping[Candidate, float] | None = None,
        fails: Mapping[Candidate, float] | None = None,
        parts: int = 1,
        own: float = 0.5,
    ) -> None:
        self.asked: list[tuple[list[Candidate], Members]] = []
        self.breaks, self.fails = breaks or {}, fails or {}
        self.parts, self.own = parts, own
        self.constraints = 0 if breaks is None else 1

    def __call__(self, candidates: Sequence[Candidate], members: Members) -> Samples:
        self.asked.append((list(candidates), members))
        numbers = range(members.first, members.end)
        share = (np.arange(members.count) + 0.5) / members.count
        parts = np.array([[self._of(c, n) for n in numbers] for c in candidates])
        broken = np.array([share < self.breaks.get(c, 0.0) for c in candidates], float)
        failed = np.array([share > 1.0 - self.fails.get(c, 0.0) for c in candidates])
        parts = np.where(failed, np.nan, parts)[:, None].repeat(self.parts, axis=1)
        broken = np.where(failed, np.nan, broken)[:, None][:, : self.constraints]
        return Samples(parts, broken)

    def _of(self, candidate: Candidate, number: int) -> float:
        luck = np.random.default_rng(number).normal(scale=5.0)
        own = np.random.default_rng([number, list(GAIN).index(candidate)]).normal(scale=self.own)
        return float(10.0 + luck + own - GAIN[candidate])


def judged(
    plant: Plant,
    *finalists: Candidate,
    goal: Goal = LOSS,
    present: Candidate | None = None,
    members: Members = FRESH,
) -> Verdict:
    return verdict(goal, finalists, plant, members=members, seed=1, present=present)


def test_that_a_gain_beyond_doubt_is_recommended_with_its_interval() -> None:
    told = judged(Plant(), BETTER)
    assert told.is_recommended
    assert told.over_nothing is not None
    (gain,) = told.over_nothing.gains
    # Luck of 5 kW is shared and falls out; own luck of 0.5 on both sides leaves 0.05 of 200.
    assert gain.gain.low < 1.0 < gain.gain.high
    assert gain.gain.high - gain.gain.low == pytest.approx(2 * 1.972 * 0.05, rel=0.15)
    assert str(told).startswith("Recommended: Candidate(name=better).")
    assert "minimise loss' gains" in str(told)
    assert "kW, between" in str(told)


def test_that_the_gain_of_what_is_to_be_large_has_the_other_sign() -> None:
    much = Goal.of({"loss": "kW"}, maximise="loss")
    assert judged(Plant(), WORSE, goal=much).is_recommended
    assert not judged(Plant(), BETTER, goal=much).is_recommended


def test_that_the_chance_to_be_the_best_is_that_of_members_drawn_again() -> None:
    def plant(candidates: Sequence[Candidate], members: Members) -> Samples:
        # Better by 1.1 for every second member, and worse by 0.9 for the others.
        turn = np.where(np.arange(members.count) % 2 == 0, 1.1, -0.9)
        costs = {BETTER: 10.0 - turn, OTHER: np.full(members.count, 10.0)}
        parts = np.array([costs.get(c, costs[OTHER]) for c in candidates])[:, None]
        return Samples(parts, np.empty((len(candidates), 0, members.count)))

    told = verdict(LOSS, [BETTER, OTHER], plant, members=Members(0, 64, fresh=True), seed=1)
    # Of 64 members drawn, k are of the better kind: it is the best where 1.1 k > 0.9 (64 - k),
    # which is k > 28.8, and k is binomial with a half.
    chance = sum(math.comb(64, k) for k in range(29, 65)) / 2**64
    # 400 draws: a standard error of 0.02.
    assert told.chances[0] == pytest.approx(chance, abs=0.06)
    assert chance == pytest.approx(0.81, abs=0.01)


def test_that_nothing_is_recommended_where_the_gain_may_be_nothing() -> None:
    told = judged(Plant(), SAME)
    assert told.advice is Advice.NOTHING
    (reason,) = told.reasons
    assert reason.startswith("The gain may be nothing: 'minimise loss' gains")
    assert str(told).startswith("No recommendation: do nothing.")


def test_that_a_loss_is_called_a_loss() -> None:
    told = judged(Plant(), WORSE)
    assert told.advice is Advice.NOTHING
    assert told.reasons[0].startswith("It is worse: 'minimise loss' loses ")


def test_that_the_winner_is_run_beside_doing_nothing_on_members_nobody_saw() -> None:
    plant = Plant()
    judged(plant, BETTER, OTHER, SAME, present=SAME)
    assert plant.asked == [
        ([BETTER, DO_NOTHING, SAME], FRESH),
        ([OTHER, SAME], Members(1000, 64, fresh=True)),
    ]
    with pytest.raises(InputError, match="needs fresh members"):
        judged(plant, BETTER, members=Members(1000, 200))


def test_that_finalists_have_chances_that_add_up_and_do_not_change_the_winner() -> None:
    told = judged(Plant(own=0.5), OTHER, BETTER, WORSE)
    assert told.winner == OTHER
    assert sum(told.chances) == pytest.approx(1.0)
    # 0.1 kW apart with 0.09 of doubt (0.7 / sqrt(64)): neither is sure to be the best.
    assert 0.02 < told.chances[0] < 0.98
    assert 0.02 < told.chances[1] < 0.98
    assert told.chances[2] == 0.0


def test_that_a_broken_constraint_is_no_recommendation_however_large_the_gain() -> None:
    told = judged(Plant(breaks={BETTER: 0.2}), BETTER, goal=GUARDED)
    assert told.advice is Advice.NOTHING
    assert told.reasons == ("40 of 200 fresh runs break 'P(load > 1 kN) < 0.05'.",)


def test_that_a_constraint_must_be_shown_and_too_few_runs_cannot() -> None:
    few = judged(Plant(breaks={}), BETTER, goal=GUARDED, members=Members(1000, 50, fresh=True))
    assert few.advice is Advice.NOTHING
    assert few.over_nothing is not None
    # 1 - 0.05^(1/50) is 5.8 %; 59 runs without a breach leave less than 5 %.
    assert few.over_nothing.kept[0].most == pytest.approx(0.0582, abs=1e-4)
    assert "up to 0.058 is possible); at least 59 runs are needed" in few.reasons[0]
    enough = judged(Plant(breaks={}), BETTER, goal=GUARDED, members=Members(1000, 59, fresh=True))
    assert enough.is_recommended


def test_that_what_mends_a_broken_constraint_needs_no_gain() -> None:
    told = judged(Plant(breaks={DO_NOTHING: 0.3}), WORSE, goal=GUARDED)
    assert told.is_recommended
    assert "Without it 60 of 200 fresh runs break 'P(load > 1 kN) < 0.05'." in told.reasons


def test_that_failed_members_count_as_breaches() -> None:
    told = judged(Plant(breaks={}, fails={BETTER: 0.1}), BETTER, goal=GUARDED)
    assert told.advice is Advice.NOTHING
    assert told.reasons[0].startswith("20 of 200 fresh runs break")
    assert "More of its members fail." in told.reasons


def test_that_a_plan_under_which_half_of_the_members_fail_cannot_be_judged() -> None:
    told = judged(Plant(fails={BETTER: 0.5}), BETTER)
    assert told.advice is Advice.NOTHING
    assert "'minimise loss' cannot be judged: 100 of 200 members failed." in told.reasons


def test_that_pairs_of_which_one_failed_are_left_out() -> None:
    told = judged(Plant(fails={BETTER: 0.1, DO_NOTHING: 0.1}), BETTER)
    assert told.is_recommended
    assert told.over_nothing is not None
    (gain,) = told.over_nothing.gains
    assert (gain.members, gain.worth.left_out, gain.worth.members) == (180, 20, 200)


def test_that_a_tail_of_few_members_is_not_judged() -> None:
    tail = Goal.of({"loss": "kW"}, minimise="cvar(0.95, loss)")
    few = judged(Plant(), BETTER, goal=tail, members=Members(1000, 99, fresh=True))
    assert few.reasons == (
        "'minimise cvar(0.95, loss)' cannot be judged by 99 members: 100 are needed.",
    )
    assert judged(Plant(), BETTER, goal=tail).is_recommended


def test_that_a_quantile_is_compared_by_drawing_members_again() -> None:
    quantile = Goal.of({"loss": "kW"}, minimise="quantile(0.5, loss)")
    told = judged(Plant(own=0.1), BETTER, goal=quantile)
    assert told.is_recommended
    assert told.over_nothing is not None
    gain = told.over_nothing.gains[0].gain
    assert gain.low < 1.0 < gain.high
    assert not judged(Plant(own=0.1), SAME, goal=quantile).is_recommended
    assert judged(Plant(own=0.1), BETTER, goal=quantile) == told


def test_that_one_objective_must_gain_and_none_may_lose() -> None:
    both = Goal.of({"loss": "kW", "cost": ""}, minimise="loss", maximise="cost")
    told = judged(Plant(parts=2), BETTER, SAME, goal=both)
    assert told.advice is Advice.NOTHING
    assert told.reasons[0].startswith("It is worse: 'maximise cost' loses ")
    assert told.chances == ()
    alike = Goal.of({"loss": "kW", "cost": ""}, minimise=["loss", "cost"])
    assert judged(Plant(parts=2), BETTER, goal=alike).is_recommended


def test_that_the_present_plan_is_changed_only_for_a_gain_over_it() -> None:
    assert judged(Plant(), BETTER, present=SAME).advice is Advice.CHANGE
    kept = judged(Plant(), OTHER, present=BETTER)
    assert kept.advice is Advice.KEEP
    assert str(kept).startswith("Keep the present plan.\nIt is worse:")
    again = judged(Plant(), BETTER, present=BETTER)
    assert again.advice is Advice.KEEP
    assert again.reasons == ("The best that was found is no other.",)


def test_that_a_present_plan_that_is_worse_than_nothing_is_lifted() -> None:
    told = judged(Plant(), SAME, present=WORSE)
    assert told.advice is Advice.NOTHING
    assert told.reasons[0].startswith("The present plan is worse than nothing: 'minimise loss'")
    assert judged(Plant(), BETTER, present=WORSE).advice is Advice.CHANGE


def test_that_a_present_plan_that_breaks_a_constraint_gives_way_without_a_gain_over_it() -> None:
    told = judged(Plant(breaks={BETTER: 0.3}), OTHER, goal=GUARDED, present=BETTER)
    assert told.advice is Advice.CHANGE
    none_better = judged(Plant(breaks={BETTER: 0.3}), SAME, goal=GUARDED, present=BETTER)
    assert none_better.advice is Advice.NOTHING
    assert none_better.reasons[0].startswith("Under the present plan 60 of 200 fresh runs break")


def test_that_a_search_without_a_find_recommends_nothing_and_keeps_what_is() -> None:
    told = judged(Plant())
    assert (told.advice, told.winner) == (Advice.NOTHING, None)
    assert told.reasons == ("The search found no plan that could be judged.",)
    assert judged(Plant(), present=SAME).advice is Advice.KEEP


def test_that_doing_nothing_is_no_improvement_on_itself() -> None:
    told = judged(Plant(), DO_NOTHING)
    assert told.advice is Advice.NOTHING
    assert told.reasons == ("The best that was found is no other.",)


@pytest.mark.parametrize("text", ["loss", "cvar(0.5, loss)", "quantile(0.5, loss)"])
def test_that_copies_of_one_origin_make_no_gain_surer(text: str) -> None:
    """Sixteen origins, each run 25 times over without any luck of its own."""
    rows = np.random.default_rng(4).normal(size=(2, 16)) - [[1.0], [0.0]]
    goal = Goal.of({"loss": "kW"}, minimise=text)

    def copied(candidates: Sequence[Candidate], members: Members) -> Samples:
        own = rows[[0 if c == BETTER else 1 for c in candidates]]
        parts = np.tile(own, members.count // 16)[:, None]
        return Samples(parts, np.empty((len(candidates), 0, members.count)))

    def width(count: int, origins: int | None) -> float:
        members = Members(400, count, fresh=True)
        told = verdict(goal, [BETTER], copied, members=members, seed=1, origins=origins)
        assert told.over_nothing is not None
        interval = told.over_nothing.gains[0].gain
        return interval.high - interval.low

    # The median of sixteen lies between two of them, that of copies on one: nearly the same.
    nearly = 0.25 if "quantile" in text else 1e-9
    assert width(400, 16) == pytest.approx(width(16, None), rel=nearly)
    assert width(400, None) < width(16, None) / 3


def test_that_fresh_members_begin_where_the_search_ended_and_are_enough_to_decide() -> None:
    # 59 runs without a breach show less than 5 %; of four times that some may break it.
    assert fresh_members(GUARDED, 320) == Members(320, 236, fresh=True)
    assert fresh_members(GUARDED, 320, block=64) == Members(320, 256, fresh=True)
    assert fresh_members(LOSS, 0) == Members(0, 64, fresh=True)


def test_that_origins_are_run_in_whole_ensembles() -> None:
    with pytest.raises(InputError, match="in whole ensembles; these are 200 from number 1000 on"):
        verdict(LOSS, [BETTER], Plant(), members=FRESH, seed=1, origins=16)


def test_that_a_level_that_is_none_is_refused() -> None:
    with pytest.raises(InputError, match="between 0 and 1; it is 95"):
        verdict(LOSS, [BETTER], Plant(), members=FRESH, seed=1, level=95)
