"""The phase that follows from what is known of a twin."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gemeos.runtime.phase import Phase, Standing, phase_of
from gemeos.units.instant import SECOND

NOW = 1_700_000_000 * SECOND
WELL = Standing(
    bound=True,
    running=True,
    finished=False,
    assimilated=500,
    newest=NOW - SECOND,
    now=NOW,
    usual_interval=SECOND,
    lateness=2 * SECOND,
)


@pytest.mark.parametrize(
    ("standing", "phase"),
    [
        (WELL, Phase.IN_STEP),
        (replace(WELL, bound=False), Phase.PLANNED),
        (replace(WELL, running=False), Phase.STOPPED),
        (replace(WELL, finished=True), Phase.FINISHED),
        (replace(WELL, assimilated=29), Phase.STARTING),
        (replace(WELL, assimilated=0, newest=None, usual_interval=None), Phase.STARTING),
        (replace(WELL, newest=NOW - 4 * SECOND), Phase.CATCHING_UP),
        (replace(WELL, newest=NOW - 8 * SECOND), Phase.BLIND),
        (replace(WELL, rejected=True), Phase.DRIFTING),
    ],
)
def test_that_each_phase_follows_from_its_own_cause(standing: Standing, phase: Phase) -> None:
    assert phase_of(standing) is phase


def test_that_blind_beats_drifting_beats_catching_up() -> None:
    behind = replace(WELL, newest=NOW - 4 * SECOND, rejected=True)
    assert phase_of(behind) is Phase.DRIFTING
    assert phase_of(replace(behind, newest=NOW - 60 * SECOND)) is Phase.BLIND


def test_that_a_sensor_that_speaks_hourly_is_not_blind_after_a_minute() -> None:
    hourly = replace(WELL, usual_interval=3600 * SECOND, newest=NOW - 60 * SECOND)
    assert phase_of(hourly) is Phase.IN_STEP
