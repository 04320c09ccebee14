"""Our searches on FLORIS's model, beside FLORIS's own optimiser, in the same run.

What is run, and on what, is in ``gemeos.twins.windfarm.steering_trial``.
"""

from __future__ import annotations

import math
from importlib.util import find_spec

import numpy as np
import pytest

from gemeos.foresee.space import DO_NOTHING
from gemeos.foresee.verdict import Advice
from gemeos.twins.windfarm.steering_trial import (
    SPEED,
    TURBULENCE,
    nine_over_all_directions,
    three_in_a_row,
    uncertain_wind,
)
from gemeos.twins.windfarm.wake import bent
from tests.conftest import missing

pytestmark = pytest.mark.timeout(150)


@pytest.fixture(autouse=True)
def floris() -> None:
    if find_spec("floris") is None:
        missing("FLORIS, of the extra gemeos[floris]")


def test_that_the_search_reaches_what_floris_finds_for_three_in_a_row() -> None:
    for found in three_in_a_row():
        assert found.its_gain == pytest.approx(0.214, abs=0.003)
        # Within half a point; and no further away, as the optimum is broad to one side only.
        assert found.our_gain > found.its_gain - 0.005, found.method
        assert np.abs(found.ours[0]) == pytest.approx([25.0, 23.0, 0.0], abs=4.0), found.method


def test_that_the_search_reaches_what_floris_gains_with_nine_over_all_directions() -> None:
    found = nine_over_all_directions()
    assert found.its_gain == pytest.approx(0.039, abs=0.002)
    assert found.our_gain > found.its_gain - 0.005
    assert found.our_gain > 0.037


def test_that_a_plan_for_an_uncertain_wind_beats_the_plan_for_its_mean() -> None:
    """Directions of members are normal about west with 5 degrees; fresh ones decide."""
    decided = uncertain_wind()
    assert decided.advice is Advice.CHANGE
    assert decided.over_present is not None
    assert decided.over_nothing is not None
    assert decided.over_present.gains[0].gain.low > 0.0
    assert decided.over_nothing.other == DO_NOTHING
    assert decided.over_nothing.gains[0].gain.low > 0.0


def test_that_the_twin_s_wake_bends_as_far_and_to_the_side_that_floris_says() -> None:
    """By the same formulas, without what FLORIS adds to them; turbulence by its k = 0.38 I + 0.004.

    Wind from the west, the nacelle turned by 20 degrees: in FLORIS the middle of the wake is where
    the wind is least, here it is looked for every hundredth of a diameter.
    """
    from floris import FlorisModel  # noqa: PLC0415 - an extra

    config = FlorisModel.get_defaults()
    for added in ("secondary_steering", "transverse_velocities", "yaw_added_recovery"):
        config["wake"][f"enable_{added}"] = False
    its = FlorisModel(config)
    its.set(
        layout_x=[0.0],
        layout_y=[0.0],
        wind_directions=[270.0],
        wind_speeds=[SPEED],
        turbulence_intensities=[TURBULENCE],
        yaw_angles=np.array([[20.0]]),
    )
    its.run()
    thrust = its.get_turbine_thrust_coefficients()[0]
    north = np.arange(-1.0, 1.0, 0.01)
    for far in (5.0, 10.0):
        at = [np.full(len(north), far * 126.0), north * 126.0, np.full(len(north), 90.0)]
        least = its.sample_flow_at_points(*at)[0].argmin()
        to_right = bent(
            np.array([far]),
            thrust=thrust,
            expansion=np.array([0.38 * TURBULENCE + 0.004]),
            yaw=np.array([math.radians(20.0)]),
        )
        # The south is to the right of somebody who looks where the wind goes.
        assert to_right[0] == pytest.approx(-north[least], abs=0.01)
