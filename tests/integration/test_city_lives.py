"""A district's twin in a site: the plant, the broker and the site are processes of their own."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from tests.integration.two_junctions import (
    LONGEST_CYCLE_S,
    SIGNALS,
    applied,
    city,
    ended,
    in_step,
    until,
)

pytestmark = pytest.mark.timeout(170)


@pytest.mark.timed
def test_that_a_district_is_followed_asked_set_and_left_to_itself(tmp_path: Path) -> None:
    with city(tmp_path) as (site, ears, process_of_site, _):
        twin = site["city"]
        until(lambda: in_step(twin))
        first, other = SIGNALS
        fixed = until(lambda: ears.durations("ordered", first))

        # Counts ahead, with doubt.
        ahead = twin.forecast("4 min", every="1 min")
        counts = [name for name in ahead.variables if name.startswith("count_")]
        assert len(counts) == 8
        low, high = ahead[counts[0]].interval(0.9)
        assert (high[-1] > low[-1]).all()

        # Another plan of a signal: less green for one road is less that comes through.
        slow = {f"{first}_phase0": "15 s"}
        assert twin.scenario("slow", slow, until="4 min", every="1 min").variables
        assert twin.compare("slow", on="running").mean.shape == (4,)
        # What is applied reaches the cabinet, which says so.
        twin.plans.of_scenario("slow", on=["running"], expires="30 min")
        until(lambda: applied(twin, "slow"))
        until(lambda: ears.durations("ordered", first)[:1] == [15.0])
        assert any(
            topic == "acknowledgement" and body["accepted"] for topic, body in list(ears.heard)
        )
        until(lambda: ears.durations("running", first)[:1] == [15.0])
        until(lambda: twin.now()[f"{first}_phase0"].mean[-1] == 15.0)

        # The cabinet has a rule that the twin was not told of.
        long = {f"{other}_phase0": "75 s"}
        twin.scenario("long", long, until="2 min", every="1 min")
        twin.plans.of_scenario("long", on=["running"], expires="30 min")
        until(lambda: applied(twin, "long"))
        undertaking = until(lambda: ended(twin, "long"))
        assert f"{LONGEST_CYCLE_S} s" in " ".join(i.why for i in undertaking.issued)
        assert ears.durations("ordered", other) == fixed

        # Nobody sees the city any more: the fixed programmes come back.
        process_of_site.send_signal(signal.SIGKILL)
        died = time.monotonic()
        until(lambda: ears.durations("ordered", first) == fixed, within_s=10)
        assert time.monotonic() - died < 5.0
