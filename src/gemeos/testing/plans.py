"""A small plan with everything around it, for tests of acting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from gemeos.act.base import Conduct, Rules, Situation
from gemeos.ensemble.condition import parse_chance
from gemeos.ensemble.estimate import Estimate, Filtered
from gemeos.ensemble.provenance import Provenance
from gemeos.schema.phase import Phase
from gemeos.schema.plan import Plan
from gemeos.schema.variable import Control
from gemeos.units.instant import SECOND

NOW = 1_700_000_000 * SECOND
VALVE = Control("valve", "m^3/s", (0.0, 2.0), default=1.0)


def plan(changes: Mapping[str, str] | None = None, **more: object) -> Plan:
    """Set the valve, made by kim ten seconds ago from a state of that moment."""
    made = Plan(
        twin="tank",
        name="lower",
        changes=dict(changes or {"valve": "1.5 m^3/s"}),
        made_at=NOW - 10 * SECOND,
        actor="kim",
        cause="scenario lower",
        expires_at=NOW + 600 * SECOND,
        state_at=NOW - 10 * SECOND,
    )
    return replace(made, **more)  # type: ignore[arg-type]  # fields of a plan, by name


def rules(*, interlocks: Sequence[str] = (), **more: object) -> dict[str, Rules]:
    """Those of the valve."""
    read = tuple(parse_chance(each) for each in interlocks)
    made = Rules(VALVE, tolerance=0.02, interlocks=read)
    return {"valve": replace(made, **more)}  # type: ignore[arg-type]  # fields of rules, by name


def situation(winds: Sequence[float] = (10.0, 12.0), **more: object) -> Situation:
    """All is well: the twin is in step, and the valve stands at 1 m^3/s."""
    estimate = Estimate(
        twin="tank",
        kind=Filtered(),
        times=np.array([NOW]),
        variables=("wind",),
        units=("m/s",),
        values=np.array([[list(winds)]]),
        provenance=Provenance("m", 2, NOW - SECOND, NOW, "live"),
    )
    made = Situation(
        now=NOW,
        phase=Phase.IN_STEP,
        state_at=NOW - SECOND,
        estimate=estimate,
        standing={"valve": 1.0},
    )
    return replace(made, **more)  # type: ignore[arg-type]  # fields of a situation, by name


CONDUCT = Conduct()
