"""What a plan costs, and that plans from before it was told keep their identity."""

from __future__ import annotations

from hashlib import sha256

import msgspec
import pytest

from gemeos.schema.plan import Cost, Gain, Plan, Price
from gemeos.units.instant import SECOND

START = 1_750_000_000 * SECOND
PRICE = Price("total(lamp) * 0.3 1/kWh", "", 12.0, 3.0, 8.5, 9.5, 0.95)


def plan(**more: object) -> Plan:
    return Plan(
        twin="tank",
        name="low",
        changes={"valve": "0.5"},
        made_at=START,
        actor="kim",
        cause="optimisation low",
        expires_at=START + SECOND,
        state_at=START,
        **more,  # type: ignore[arg-type]  # fields of a plan, by name
    )


def test_that_a_plan_from_before_costs_were_told_is_still_known() -> None:
    told = msgspec.to_builtins(plan(), builtin_types=(bytes,))
    for later in ("promise", "cost", "latest", "loss", "finalists", "rivals"):
        del told[later]
    assert plan().id == sha256(msgspec.msgpack.encode(told)).hexdigest()[:24]
    costs = plan(cost=Cost(10, 20, SECOND, PRICE))
    assert len({plan().id, costs.id, plan(latest=START).id, plan(loss=0.1).id}) == 4
    assert len({plan().id, plan(finalists=4).id, plan(rivals=0).id}) == 3
    assert Plan.from_bytes(costs.to_bytes()) == costs
    old = msgspec.msgpack.encode(told)
    assert Plan.from_bytes(old) == plan()


@pytest.mark.parametrize(
    ("price", "said"),
    [
        (PRICE, "costs: total(lamp) * 0.3 1/kWh = 12, +9 (+8.5 to +9.5) beside nothing"),
        (None, "found by 300 runs, 64 members to check it, 2.5 s"),
    ],
)
def test_that_who_approves_a_plan_reads_what_it_costs(price: Price | None, said: str) -> None:
    told = repr(plan(cost=Cost(300, 64, 5 * SECOND // 2, price)))
    assert said in told
    assert ("costs:" in told) is (price is not None)


def test_that_a_plan_s_chance_is_told_among_the_finalists() -> None:
    gain = Gain("minimise mean(off)", "K", 2.0, 1.0, 3.0)
    told = repr(plan(best=0.02, finalists=4, rivals=3, loss=0.031, candidates=266, gain=gain))
    assert (
        "Of 4 finalists it is the best with chance 2%; another one may be better, by 0.031 K on "
        "average." in told
    )
    assert "not shown to be worse: 3 of the other finalists" in told
    assert "candidates that were tried: 266" in told
    # Kept before finalists were counted: the tried ones are not passed off as them.
    assert "Of the finalists it is the best with chance 2%." in repr(plan(best=0.02, candidates=9))
