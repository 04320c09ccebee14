"""A plan that a living city's twin searched for: to the cabinets, into the ledger, and back."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from gemeos.act.undertaking import Stage
from gemeos.foresee.verdict import Advice
from gemeos.runtime.ledger_row import LedgerRow
from gemeos.runtime.phase import Phase
from gemeos.serve.client import ConnectedTwin
from gemeos.units.instant import SECOND
from tests.integration.two_junctions import (
    SIGNALS,
    STRIDE_MIN,
    Ears,
    Rush,
    applied,
    city,
    ended,
    in_step,
    until,
    uplink,
)

LONG_S = 120.0
MINUTE = 60 * SECOND


def told(twin: ConnectedTwin) -> LedgerRow | None:
    """The ledger's row of the only plan, once it is judged or cannot be."""
    (row,) = twin.plans.ledger().rows
    return row if row.score is not None else None


def come_to(ears: Ears, kind: str, greens: Mapping[str, Sequence[float]], within_s: float) -> None:
    """Wait until the programmes of all signals begin so."""
    until(lambda: all(ears.durations(kind, n)[: len(g)] == g for n, g in greens.items()), within_s)


@pytest.mark.timed
@pytest.mark.timeout(400)
def test_that_a_searched_plan_is_obeyed_and_scored_and_ends_when_nobody_sees_the_city(
    tmp_path: Path,
) -> None:
    rush = Rush()
    seen = city(tmp_path, members=16, rush=rush, watch="5 min", readings="uplink/reading")
    with seen as (site, ears, process, _), uplink(ears.url) as cut:
        twin = site["city"]
        until(lambda: in_step(twin), LONG_S)
        until(lambda: all(ears.durations("ordered", name) for name in SIGNALS))
        fixed = {name: ears.durations("ordered", name) for name in SIGNALS}
        assert fixed[SIGNALS[0]][::2] == list(rush.greens_s)

        # Programmes that were made for the other road: whatever was drawn, more green is better.
        found = twin.optimise(
            "better",
            over=dict.fromkeys((f"{name}_phase0" for name in SIGNALS), "12 s, 24 s, 33 s"),
            until="5 min",
            every="1 min",
            minimise="mean(lost)",
            budget="20 s",
        )
        assert found.advice is Advice.CHANGE, found.told
        assert found.winner is not None
        # The state is moved on to the last full minute before it was asked.
        assert 0 <= found.known_at - found.forked_at < MINUTE
        assert found.heard_ago is not None
        # A minute is told at its end, and may come while the next stride is fitted.
        assert 0 < found.heard_ago <= 2 * STRIDE_MIN * MINUTE
        first = {n: [float(found.winner[f"{n}_phase0"].removesuffix(" s"))] for n in SIGNALS}
        assert max(first.values()) > [rush.greens_s[0]]

        # Obeyed: the lights run by it, and the cabinets report it.
        twin.plans.of_optimisation("better", on=["running"], expires="30 min")
        until(lambda: applied(twin, "better"))
        come_to(ears, "running", first, LONG_S)
        undertaking = until(lambda: ended(twin, "better"), LONG_S)
        assert undertaking.stage is Stage.KEPT, undertaking.reason

        # Scored: what it promised beside what it brought.
        row = until(lambda: told(twin), LONG_S)
        assert row.promise is not None
        assert row.score is not None
        assert row.score.delivered is not None, row.told
        assert row.score.delivered.mean > 0, row.told
        # How near to what was promised is not held: of such scores some two in five lie outside.
        assert row.score.inside is not None, row.told

        # The detectors fall silent; the cabinets do not, and neither does the site.
        cut()
        until(lambda: twin.trust().phase is Phase.BLIND, LONG_S)
        blind = time.monotonic()
        come_to(ears, "ordered", fixed, 10.0)
        assert time.monotonic() - blind < 5.0
        assert process.poll() is None
