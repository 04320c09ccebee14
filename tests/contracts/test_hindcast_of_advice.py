"""What advice of the past would have brought is what mathematics says, and no end is known."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import pytest

import gemeos as gm
from gemeos.cli.main import main
from gemeos.errors import InputError, UnknownNameError
from gemeos.foresee.verdict import Advice
from gemeos.runtime.advice import AdvisedAt
from gemeos.runtime.asks_what_if import AsksWhatIf
from gemeos.runtime.hindcast_record import HindcastRecord
from gemeos.runtime.scenario import Progress
from gemeos.schema.reading import Reading, Series
from gemeos.serve.client import connect
from gemeos.testing.played import Batch, PlayedLink
from gemeos.testing.served import served
from gemeos.units import iso
from gemeos.units.instant import SECOND, Instant

START = 1_750_000_000 * SECOND
PATIENCE_S = 40.0
STEP_S = 10
LEAK, DRAIN, RAIN = 0.01, 0.02, 0.02
WINDOW = 10
"""Steps of a horizon."""
FIRST, COUNT = 40, 4
"""The step of the first instant at which it is asked, and how many there are."""
DROUGHT = range(FIRST + 2 * WINDOW + 2, FIRST + 3 * WINDOW)
"""Steps in which half as much comes in: within the third horizon."""
END = FIRST + COUNT * WINDOW
WANTED = 1.5


@gm.model(dt="10 s")
class Pond:
    """Linear: rain comes in, some seeps away, a gate lets out what it is opened for."""

    level: float = gm.state("m", gm.normal(2.0, 0.02), noise=0.002)
    seeping: float = gm.param("1/s", gm.lognormal(LEAK, 0.1), drift=1e-9)
    rain: float = gm.input("m/s", default=RAIN)
    gate: float = gm.control("1", bounds=(0, 1), default=0.0)
    width: float = gm.const("1", default=1.0)

    def step(self, dt: float) -> Pond:
        out = self.seeping * self.level + DRAIN * self.gate * self.width
        return Pond(level=self.level + dt * (self.rain - out))

    @gm.sensor("m", noise=0.01)
    def gauge(self) -> float:
        return self.level


def at(step: int) -> Instant:
    return START + step * STEP_S * SECOND


def rain(step: int) -> float:
    return RAIN * (0.5 if step in DROUGHT else 1.0)


def levels(gate: Callable[[int], float] = lambda _: 0.0) -> list[float]:
    """The truth, from step 0 on. At rest at 2 m without the gate and the drought."""
    told = [RAIN / LEAK]
    for step in range(END):
        out = LEAK * told[-1] + DRAIN * gate(step)
        told.append(told[-1] + STEP_S * (rain(step) - out))
    return told


def lowered(gate: float) -> float:
    """By how much an open gate lowers the level by the end of a horizon, whatever else comes in.

    The model is linear: d' = DRAIN gate - LEAK d, in steps.
    """
    return DRAIN * gate / LEAK * (1.0 - (1.0 - LEAK * STEP_S) ** WINDOW)


BEST = 0.5 / lowered(1.0)
"""The gate that brings 2 m to the wanted 1.5 m in the end: level and gate are proportional."""


def rows(level: Sequence[float], gates: Callable[[int], float] | None = None) -> list[Reading]:
    """What is read: the gauge with its noise, the rain before it falls; the gate where asked."""
    rng = np.random.default_rng(5)
    told = []
    for step in range(END + 1):
        told.append(Reading(Series("l", "g"), at(step), level[step] + 0.01 * float(rng.normal())))
        told.append(Reading(Series("l", "r"), at(step), rain(step)))
        if gates is not None:
            told.append(Reading(Series("l", "gate"), at(step), gates(step)))
    return told


def pond_site(
    readings: Sequence[Reading], late: Sequence[Reading] = (), *, gate: bool = False
) -> tuple[gm.Site, PlayedLink]:
    """``late`` ones come at the very end."""
    kept = [r for r in readings if r not in late]
    instants = sorted({r.valid_at for r in kept})
    batches = [Batch([r for r in kept if r.valid_at == t], t) for t in instants]
    if late:
        batches.append(Batch(late, at(END)))
    link = PlayedLink("l", batches)
    twin = gm.Twin("pond", Pond, members=48).bind("l:g", to="gauge").bind("l:r", to="rain")
    if gate:
        twin = twin.bind("l:gate", to="gate")
    clock = gm.Replay(START, 1.0, "made for a test")
    return gm.Site("s", twins=(twin,), links=(link,), clock=clock), link


def asked(pond: AsksWhatIf, count: int = COUNT) -> HindcastRecord:
    told = pond.hindcast(
        over={"gate": "0 .. 1"},
        minimise=f"last(abs(level - {WANTED} m))",
        within="100 s",
        look_every="10 s",
        since=at(FIRST),
        until=at(FIRST + count * WINDOW),
        budget="120 runs",
    )
    pond.hindcasts.drop(told.name)
    return told


def embedded(site: tuple[gm.Site, PlayedLink], count: int = COUNT) -> HindcastRecord:
    with gm.run(site[0]) as running:
        assert site[1].played.wait(PATIENCE_S)
        return asked(running["pond"], count)


@pytest.fixture(scope="module", params=["embedded", "connected"])
def pond(request: pytest.FixtureRequest) -> Iterator[AsksWhatIf]:
    site, link = pond_site(rows(levels()))
    if request.param == "embedded":
        with gm.run(site) as running:
            assert link.played.wait(PATIENCE_S)
            yield running["pond"]
        return
    with served(site) as serving, connect(serving.url) as connection:
        assert link.played.wait(PATIENCE_S)
        yield connection["pond"]


def true_gain(row: AdvisedAt, level: Sequence[float]) -> float:
    """What the advised gate would have brought, by mathematics."""
    end = level[(row.at - START) // (STEP_S * SECOND) + WINDOW]
    return abs(end - WANTED) - abs(end - lowered(float(row.values["gate"])) - WANTED)


def known_then(row: AdvisedAt) -> AdvisedAt:
    """Without what came of it."""
    return replace(row, delivered=None, inside=None, fits=True, notes=())


def test_that_what_advice_would_have_brought_is_what_mathematics_says(pond: AsksWhatIf) -> None:
    told, level = asked(pond), levels()
    assert told.progress is Progress.DONE
    advice = told.advice
    assert advice is not None
    assert [r.at for r in advice.issued] == [at(FIRST + k * WINDOW) for k in range(COUNT)]
    # Nothing is known of the drought before it comes: of the first three the same is best.
    assert advice.issued[0].advice is Advice.CHANGE
    assert [r.advice for r in advice.issued[1:3]] == [Advice.KEEP] * 2
    assert float(advice.issued[0].values["gate"]) == pytest.approx(BEST, abs=0.05)
    for row in advice.issued:
        assert row.delivered is not None
        true = true_gain(row, level)
        assert row.delivered.low < true < row.delivered.high
        assert row.delivered.high - row.delivered.low < 0.2
        assert row.readings > 0
    # Without a drought half a metre is gained, and that was promised.
    calm, dry = advice.issued[0], advice.issued[2]
    assert calm.promised is not None
    assert calm.promised.mean == pytest.approx(0.5, abs=0.05)
    assert calm.inside is True
    # In the drought it comes to 1.4 m by itself: the open gate harms, against what was promised.
    assert dry.promised is not None
    assert dry.promised.mean == pytest.approx(0.5, abs=0.05)
    assert true_gain(dry, level) < -0.4
    assert dry.inside is False


def test_that_the_sum_is_told_with_its_doubt_and_what_it_does_not_know(pond: AsksWhatIf) -> None:
    told = asked(pond)
    advice = told.advice
    assert advice is not None
    assert advice.delivered is not None
    true = sum(true_gain(row, levels()) for row in advice.issued)
    assert advice.delivered.low < true < advice.delivered.high
    assert advice.count(Advice.CHANGE) + advice.count(Advice.KEEP) == COUNT
    assert advice.judged == COUNT
    assert told.told.startswith(f"Asked {COUNT} times: ")
    assert "What was not done nobody saw" in told.told
    assert "overlap" not in told.told


def test_that_what_was_known_later_has_no_say_in_the_advice() -> None:
    calm = levels()
    other = [x + (0.3 if step > FIRST + WINDOW else 0.0) for step, x in enumerate(calm)]
    one, two = (embedded(pond_site(rows(each)), 3) for each in (calm, other))
    assert one.advice is not None
    assert two.advice is not None
    for row, changed in list(zip(one.advice.issued, two.advice.issued, strict=True))[:2]:
        bare, also = (
            replace(r, delivered=None, inside=None, fits=True, notes=()) for r in (row, changed)
        )
        assert bare == also
    # What came of the second is another thing: reality was.
    assert one.advice.issued[1].delivered != two.advice.issued[1].delivered


def test_that_readings_that_came_late_have_no_say_in_it_either() -> None:
    told = rows(levels())
    late = [r for r in told if r.series.channel == "g" and at(FIRST - 3) < r.valid_at <= at(FIRST)]
    lacking = [r for r in told if r not in late]
    one, two = embedded(pond_site(told, late), 1), embedded(pond_site(lacking), 1)
    assert one.advice is not None
    assert two.advice is not None
    (row,), (bare,) = one.advice.issued, two.advice.issued
    assert (row.origin, row.values, row.promised) == (bare.origin, bare.values, bare.promised)
    # But what it would have brought is told by all that is known now.
    assert row.delivered != bare.delivered


def test_that_who_moved_the_control_meanwhile_is_told_and_the_promise_not_judged() -> None:
    def opened(step: int) -> float:
        return BEST if step >= FIRST + 2 else 0.0

    site = pond_site(rows(levels(opened), opened), gate=True)
    told = embedded(site, 1)
    assert told.advice is not None
    (row,) = told.advice.issued
    assert row.advice is Advice.CHANGE
    assert row.inside is None
    assert "somebody moved gate meanwhile" in row.notes[0]
    # Over what was done: it was opened by as much two steps later.
    was = levels(opened)[FIRST + WINDOW]
    would = 2.0 - lowered(float(row.values["gate"]))
    assert row.delivered is not None
    assert row.delivered.low < abs(was - WANTED) - abs(would - WANTED) < row.delivered.high


def test_that_a_twin_that_heard_nothing_gave_no_advice() -> None:
    told = [r for r in rows(levels()) if not at(FIRST) < r.valid_at < at(FIRST + 3 * WINDOW)]
    record = embedded(pond_site(told), 2)
    assert record.advice is not None
    heard, blind = record.advice.issued
    assert heard.advice is Advice.CHANGE
    assert "nothing was read meanwhile" in heard.notes
    assert heard.delivered is None
    # What stood stays: nobody is told to lift it by a twin that sees nothing.
    assert blind.advice is Advice.KEEP
    assert "blind" in blind.reasons[0]
    assert blind.values == heard.values
    assert blind.promised is None


def test_that_a_constant_may_be_chosen() -> None:
    def half_open(_: int) -> float:
        return 0.5

    site = pond_site(rows(levels(half_open), half_open), gate=True)
    with gm.run(site[0]) as running:
        assert site[1].played.wait(PATIENCE_S)
        told = running["pond"].hindcast(
            over={"width": "1, 0"},
            maximise="last(level)",
            within="100 s",
            since=at(FIRST),
            until=at(FIRST + WINDOW),
            budget="40 runs",
        )
    assert told.advice is not None
    (row,) = told.advice.issued
    assert row.values == {"width": 0}
    assert row.delivered is not None
    # A gate of no width lets nothing out: what half an open one would have lowered is gained.
    assert row.delivered.low < lowered(0.5) < row.delivered.high


def test_that_it_is_kept_and_asked_from_the_command_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    site, link = pond_site(rows(levels()))
    with served(site) as serving:
        assert link.played.wait(PATIENCE_S)
        words = ["--since", iso(at(FIRST)), "--until", iso(at(FIRST + WINDOW))]
        words += ["--over", "gate=0 .. 1", "--minimise", f"last(abs(level - {WANTED} m))"]
        words += ["--within", "100 s", "--budget", "60 runs", "--url", serving.url]
        assert main(["hindcast", *words]) == 0
        assert "Asked 1 times: 1 times a plan was advised" in capsys.readouterr().out
        with connect(serving.url) as connection:
            (kept,) = connection["pond"].hindcasts.all()
        assert kept.advice is not None
        assert kept.advice.over == {"gate": "0.0 .. 1.0"}


@pytest.mark.parametrize(
    ("other", "kind", "message"),
    [
        ({"over": None}, InputError, "neither"),
        ({"condition": "level > 1 m"}, InputError, "one thing"),
        ({"over": None, "condition": "level > 1 m"}, InputError, "nothing may be chosen"),
        ({"over": {"gat": "0 .. 1"}}, UnknownNameError, "Did you mean 'gate'"),
        ({"over": {"gate": "0 .. 2"}}, InputError, "gate"),
        ({"minimise": ()}, InputError, "Nothing is sought"),
        ({"budget": "5 s"}, InputError, "told in runs"),
        ({"budget": "1 run"}, InputError, "at least"),
        ({"budget": "900000 runs", "every": "50 s"}, InputError, "together"),
        ({"within": "1 h"}, InputError, "shorter than the horizon"),
        ({"every": "1 s"}, InputError, "shorter than a step"),
        ({"until": at(END + 5)}, InputError, "ends in the past"),
    ],
)
def test_that_what_cannot_be_asked_is_refused_and_not_kept(
    pond: AsksWhatIf, other: dict[str, object], kind: type[Exception], message: str
) -> None:
    whole = {
        "over": {"gate": "0 .. 1"},
        "minimise": "last(level)",
        "within": "100 s",
        "since": at(FIRST),
        "until": at(END),
        "budget": "60 runs",
        **other,
    }
    with pytest.raises(kind, match=message):
        pond.hindcast(**whole)  # type: ignore[arg-type]
    assert pond.hindcasts.all() == []


def test_that_it_can_be_cancelled(pond: AsksWhatIf) -> None:
    pond.hindcasts.begin(
        "long",
        over={"gate": "0 .. 1"},
        minimise="last(level)",
        within="100 s",
        every="10 s",
        since=at(FIRST),
        until=at(END),
        budget="20000 runs",
    )
    assert pond.hindcasts.cancel("long").progress is Progress.CANCELLED
    pond.hindcasts.drop("long")
