"""Whatever happens, in whatever order: nothing is sent twice, nothing after the end, all ends."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gemeos.act.base import Conduct
from gemeos.act.follow import (
    Answered,
    Astray,
    Happening,
    Intended,
    Killed,
    Passed,
    Restarted,
    Stands,
    after,
)
from gemeos.act.setpoints import commands_of
from gemeos.act.undertaking import Stage, Undertaking, begun, due
from gemeos.schema.command import ALLOWED, Accepted, Refused, Silent, Unsent
from gemeos.testing.plans import NOW, plan, rules
from gemeos.units.instant import SECOND

CONDUCT = Conduct()
LEVELS = (None, 0.3, 1.0, 1.5, 1.6)


def started() -> Undertaking:
    made = plan({"valve": "1.5 m^3/s; 1.6 m^3/s after 20 s"})
    commands = commands_of(made, rules(), {"valve": 1.0}, CONDUCT, now=NOW, actor="ada")
    return begun(
        plan=made.id,
        name="p",
        twin="tank",
        actor="ada",
        commands=commands,
        before={"valve": 1.0},
        tolerance={"valve": 0.02},
        watches=(),
        now=NOW,
        watch=CONDUCT.watch,
        settle=CONDUCT.settle,
        lasting=CONDUCT.lasting,
    )


answers = st.sampled_from(["accepted", "refused", "silent", "unsent"])
others = st.one_of(
    st.sampled_from(LEVELS).map(lambda value: Stands("valve", value)),
    st.sampled_from([Astray("left"), Killed("stop"), Restarted(), Passed()]),
)


def answered(word: str, command: str) -> Answered:
    match word:
        case "accepted":
            return Answered(Accepted(command))
        case "refused":
            return Answered(Refused(command, "no"))
        case "silent":
            return Answered(Silent(command, 5.0))
        case _:
            return Answered(Unsent(command, "gone"))


@given(st.lists(st.tuples(others, answers, st.integers(0, 30)), max_size=25))
def test_that_nothing_is_sent_twice_or_after_the_end_and_every_plan_ends(
    steps: list[tuple[Happening, str, int]],
) -> None:
    undertaking, now, sent = started(), NOW, list[str]()

    def happen(happening: Happening) -> None:
        nonlocal undertaking
        before = undertaking
        undertaking, _ = after(undertaking, happening, now)
        for was, became in zip(before.issued, undertaking.issued, strict=False):
            assert became.state is was.state or became.state in _reachable(was.state.value)
        if before.stage.is_over:
            assert undertaking == before

    def send(word: str) -> None:
        while (command := due(undertaking, now)) is not None:
            assert not undertaking.stage.is_over
            assert undertaking.stage is Stage.UNDER_WAY or command.is_undo
            happen(Intended(command.command.id))
            sent.append(command.command.id)
            happen(answered(word, command.command.id))

    for happening, word, later_s in steps:
        now += later_s * SECOND
        send(word)
        happen(happening)
    # From here on the device answers and stands where it was set; time passes.
    for _ in range(6):
        now += 3600 * SECOND
        send("accepted")
        last = undertaking.latest("valve", undo=True) or undertaking.latest("valve")
        happen(Stands("valve", last.command.value if last else 1.0))
        happen(Passed())
    assert undertaking.stage.is_over
    assert len(sent) == len(set(sent))
    assert len(sent) <= 3


def _reachable(value: str) -> set[object]:
    """States that one happening may lead to: the next, and what follows from it at once."""
    state = next(s for s in ALLOWED if s.value == value)
    following = set(ALLOWED[state])
    return following | {later for each in following for later in ALLOWED[each]}
