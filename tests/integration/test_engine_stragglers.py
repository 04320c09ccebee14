"""Simulations that hang, die or lose themselves in a scenario are left out; the others answer.

One that hangs is given up long before its engine's own limit, where the others are through.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator

import numpy as np
import pytest

import gemeos as gm
from gemeos.engines.fmi import Fmi, opened
from gemeos.runtime.run import RunningSite
from gemeos.schema.reading import Reading, Series
from gemeos.testing.played import Batch, PlayedLink
from gemeos.units.instant import SECOND
from tests.integration.fmus.building import built

START = 1_750_000_020 * SECOND
STEP = 10 * SECOND
LIMIT_S = 2
MEMBERS = 8
LEAK, INFLOW = 0.02, 0.04
KINDS = ("none", "hang", "crash", "not_finite", "chatter")
"""What the FMU does when it is told to."""
PATIENCE_S = 40.0


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSite]:
    state = {"canGetAndSetFMUstate": "true", "canSerializeFMUstate": "true"}
    path = str(built(tmp_path_factory.mktemp("tank"), "tank", "pythonfmu", **state))
    model = gm.EngineModel(
        name="tank",
        opened=lambda: opened(Fmi(path), limit=LIMIT_S * SECOND),
        step="10 s",
        window="1 min",
        stride="1 min",
        params=[gm.EngineParam("leak", "1/s", gm.lognormal(LEAK, 0.5), sets="leak", drift=1e-4)],
        inputs=[gm.EngineInput("inflow", "m/s", sets="inflow", default=INFLOW)],
        controls=[gm.EngineControl("mischief", sets="mischief", choices=KINDS)],
        sensors=[gm.EngineSensor("gauge", "m", of="level", noise=0.2)],
    )
    twin = gm.Twin("tank", model, members=MEMBERS, horizon="1 h").bind("l:g", to="gauge")
    rows = [
        Reading(
            Series("l", "g"),
            START + k * STEP,
            # d level/dt = inflow - leak level, from 2 m.
            INFLOW / LEAK + (2.0 - INFLOW / LEAK) * math.exp(-LEAK * 10 * k),
        )
        for k in range(7)
    ]
    link = PlayedLink("l", [Batch([row], row.valid_at) for row in rows])
    clock = gm.Replay(START, 1.0, "made for a test")
    with gm.run(gm.Site("s", twins=(twin,), links=(link,), clock=clock)) as running:
        assert link.played.wait(PATIENCE_S)
        assert running.caught_up(PATIENCE_S)
        yield running


@pytest.mark.parametrize("kind", ["hang", "crash", "not_finite"])
def test_that_those_that_fail_are_left_out_and_the_others_answer(
    site: RunningSite, kind: str
) -> None:
    twin = site["tank"]
    ahead = twin.forecast("30 s", every="10 s", raw=True)["gauge"].members
    highest = np.sort(np.concatenate([twin.now()["gauge"].members[-1:], ahead]).max(axis=0))
    # Two of eight come above it, each at its own time.
    limit = float(highest[-3:-1].mean())
    began = time.monotonic()
    words = f"{KINDS.index(kind)} when gauge > {limit} m"
    twin.scenario(kind, mischief=words, until="30 s", every="10 s")
    took = time.monotonic() - began
    record = twin.scenarios.record(kind)
    assert (record.ran, record.failed) == (MEMBERS, 2)
    told = twin.compare(kind, on="gauge")
    assert told.difference.members.shape[-1] == MEMBERS - 2
    assert np.isfinite(told.difference.members).all()
    # Each that hangs is given up once, when its time is over.
    assert took < 2 * LIMIT_S + PATIENCE_S / 2
    # The twin itself goes on.
    assert twin.trust().failed_members == 0
    assert np.isfinite(twin.now()["gauge"].members).all()


def test_that_chatter_changes_nothing(site: RunningSite) -> None:
    twin = site["tank"]
    loud = twin.scenario("loud", mischief=str(KINDS.index("chatter")), until="30 s", every="10 s")
    quiet = twin.forecast("30 s", every="10 s", raw=True)
    assert (loud["gauge"].members == quiet["gauge"].members).all()
