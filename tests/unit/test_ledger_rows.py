"""How often promises may be broken, what counts as kept, and what readings say of both arms."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gemeos.errors import AssimilationError
from gemeos.foresee.delivered import Relived, delivered, gains_of
from gemeos.foresee.objective import parse
from gemeos.foresee.worth import Sense
from gemeos.runtime.ledger_row import Ledger, accepted, is_inside
from gemeos.schema.plan import Gain

TIMES = np.array([0, 1_000_000])
MEMBERS = 4000


@pytest.mark.parametrize(
    ("count", "least", "most"),
    # 0.9^n is the chance that all are kept: above 0.5 % for n < 51. The other ends by adding up
    # binomial terms by hand: P(X <= 21) = 0.0020 and P(X <= 22) = 0.0078 for n = 30.
    [(0, 0, 0), (1, 0, 1), (30, 22, 30), (2, 0, 2), (3, 1, 3)],
)
def test_that_the_band_holds_99_percent_of_what_right_promises_give(
    count: int, least: int, most: int
) -> None:
    assert accepted(count, 0.9) == (least, most)


def test_that_with_many_plans_too_many_kept_promises_are_odd_too() -> None:
    # 90 +- 2.576 * 3 by the normal approximation; intervals that hold all are too wide.
    least, most = accepted(100, 0.9)
    assert abs(least - 82) <= 1
    assert abs(most - 97) <= 1


def test_that_what_is_found_is_allowed_its_own_doubt() -> None:
    promised = Gain("gain", "K", 10.0, 7.0, 13.0, 0.9)
    assert is_inside(promised, 12.9, 0.0)
    assert not is_inside(promised, 13.1, 0.0)
    # Four of it at 90 % on each side: 3 and 4 are 5.
    doubt = 4.0 / 1.6448536
    assert is_inside(promised, 14.9, doubt)
    assert not is_inside(promised, 15.1, doubt)
    assert not is_inside(promised, 4.9, doubt)


def test_that_an_empty_ledger_says_so() -> None:
    assert Ledger(()).told == "No plan can be held against its promise yet."


def arms(rng: np.random.Generator, effect: float) -> tuple[np.ndarray, np.ndarray]:
    """A course that nobody knows to within 1, and the same with the effect."""
    nothing = np.tile(rng.normal(size=MEMBERS), (2, 1))
    return nothing, nothing + effect


def test_that_both_arms_are_conditioned_as_the_exact_gaussian_posterior_has_it() -> None:
    # Level x ~ N(0, 1) and share s ~ N(1, 1) of an effect of 2; y = x + 2 s + noise of 0.5 reads
    # 3, a sensor of x alone reads 0.4 with noise 0.3. Solved by hand with precision matrices.
    rng = np.random.default_rng(1)
    nothing, plan = arms(rng, 2.0)
    relived = Relived(
        read=np.array([3.0, 0.4]),
        variance=np.array([0.25, 0.09]),
        nothing=np.stack([nothing[0], nothing[0]]),
        plan=np.stack([plan[0], nothing[0]]),
    )
    told = delivered(
        parse("x", Sense.MAXIMISE, {"x": "m"}),
        {"x": (nothing, "m")},
        {"x": (plan, "m")},
        TIMES,
        relived,
        states=MEMBERS,
    )
    operator = np.array([[1.0, 2.0], [1.0, 0.0]])
    precision = np.eye(2) + operator.T @ np.diag([4.0, 1 / 0.09]) @ operator
    covariance = np.linalg.inv(precision)
    missed = np.array([3.0, 0.4]) - operator @ np.array([0.0, 1.0])
    mean = np.array([0.0, 1.0]) + covariance @ operator.T @ np.diag([4.0, 1 / 0.09]) @ missed
    # The gain is the effect of 2 times its share.
    assert told.mean == pytest.approx(2.0 * mean[1], abs=0.05)
    assert told.sd == pytest.approx(2.0 * math.sqrt(covariance[1, 1]), rel=0.06)
    assert told.effect == pytest.approx(mean[1], abs=0.03)
    assert told.fits


def test_that_what_nothing_was_read_of_stays_as_doubtful_as_it_was() -> None:
    rng = np.random.default_rng(2)
    nothing, plan = arms(rng, 2.0)
    relived = Relived(np.zeros(0), np.zeros(0), np.zeros((0, MEMBERS)), np.zeros((0, MEMBERS)))
    told = delivered(
        parse("x", Sense.MAXIMISE, {"x": "m"}),
        {"x": (nothing, "m")},
        {"x": (plan, "m")},
        TIMES,
        relived,
        states=MEMBERS,
    )
    assert told.readings == 0
    assert told.effect_sd == pytest.approx(1.0, rel=0.06)
    assert told.sd == pytest.approx(2.0, rel=0.06)


def test_that_readings_that_no_member_comes_near_to_are_told() -> None:
    rng = np.random.default_rng(3)
    nothing, _ = arms(rng, 0.0)
    relived = Relived(np.array([9.0]), np.array([0.01]), nothing[:1], nothing[:1])
    told = delivered(
        parse("x", Sense.MAXIMISE, {"x": "m"}),
        {"x": (nothing, "m")},
        {"x": (nothing, "m")},
        TIMES,
        relived,
        states=MEMBERS,
    )
    # Nine standard deviations away; and what has no effect gained nothing, surely.
    assert not told.fits
    assert (told.mean, told.sd) == (0.0, 0.0)


def test_that_members_that_failed_are_left_out_and_too_few_are_refused() -> None:
    rng = np.random.default_rng(4)
    nothing, plan = arms(rng, 2.0)
    plan[:, 7:] = np.nan
    relived = Relived(np.zeros(0), np.zeros(0), np.zeros((0, MEMBERS)), np.zeros((0, MEMBERS)))
    with pytest.raises(AssimilationError, match="Only 7 members"):
        delivered(
            parse("x", Sense.MAXIMISE, {"x": "m"}),
            {"x": (nothing, "m")},
            {"x": (plan, "m")},
            TIMES,
            relived,
            states=MEMBERS,
        )


def test_that_of_a_risk_over_members_what_one_member_counts_is_promised() -> None:
    objective = parse("cvar(0.9, max(x)) + 2 * mean(last(x))", Sense.MINIMISE, {"x": "m"})
    nothing = np.array([[4.0, 1.0], [3.0, 2.0]])
    plan = np.array([[1.0, 1.0], [2.0, 2.0]])
    # max + 2 last: 4 + 6 less 2 + 4, and 2 + 4 less the same.
    told = gains_of(objective, {"x": (nothing, "m")}, {"x": (plan, "m")}, TIMES)
    assert told.tolist() == [4.0, 0.0]


def test_that_the_share_is_found_where_members_differ_in_what_the_effect_is() -> None:
    # Held at 490, whatever it could give: members think of that 1,000 +- 300, a second sensor
    # reads it as 1,200 +- 50. For each share both readings are Gaussian; the rest is a sum by hand.
    rng = np.random.default_rng(5)
    could = np.tile(1000.0 + 300.0 * rng.normal(size=MEMBERS), (2, 1))
    held = np.full_like(could, 490.0)
    relived = Relived(
        read=np.array([490.0, 1200.0]),
        variance=np.array([400.0, 2500.0]),
        nothing=could,
        plan=np.stack([held[0], could[0]]),
    )
    told = delivered(
        parse("x", Sense.MAXIMISE, {"x": "kW"}),
        {"x": (could, "kW")},
        {"x": (held, "kW")},
        TIMES,
        relived,
        states=MEMBERS,
    )
    chances = []
    shares = np.linspace(0.5, 1.5, 20_001)
    for share in shares.tolist():
        # What is left of the share is read of it; the sensor beside reads it as it is.
        less = 1.0 - share
        covariance = 9e4 * np.array([[less**2, less], [less, 1.0]]) + np.diag([400.0, 2500.0])
        missed = np.array([490.0 - (490.0 + less * 510.0), 200.0])
        exponent = missed @ np.linalg.solve(covariance, missed)
        chances.append(-0.5 * (exponent + np.linalg.slogdet(covariance)[1] + less**2))
    weight = np.exp(np.array(chances) - max(chances))
    mean = float((weight * shares).sum() / weight.sum())
    sd = math.sqrt(float((weight * (shares - mean) ** 2).sum() / weight.sum()))
    assert sd < 0.05
    assert told.effect == pytest.approx(mean, abs=0.1 * sd)
    assert told.effect_sd == pytest.approx(sd, rel=0.05)
    # 1,200 is read, 1,195 held: 0.973 of the way from 1,000 to it.
    assert told.mean == pytest.approx(490.0 - (1000.0 + 200.0 * 36.0 / 37.0), abs=15.0)
