"""Contract 8: forecasts as issued are scored, on series whose best forecasts are known.

The mean CRPS of a Gaussian forecast that is right is its standard deviation over the root of pi:
Gneiting & Raftery (2007), J. Am. Stat. Assoc. 102, 359-378, eq. 21, averaged over the forecast.
A series ``x' = a x + w`` with deviates ``w`` of variance 1 has the variance ``s2 = 1/(1 - a^2)``;
``k`` steps ahead the best forecast errs with the variance ``s2 (1 - a^2k)``, and persistence, as
``x`` and the truth are correlated by ``a^k``, with ``2 s2 (1 - a^k)``; climatology with ``s2``.
"""

from __future__ import annotations

import importlib.util
import math
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from jaxtyping import Float64

import gemeos as gm
from gemeos.errors import SchemaError
from gemeos.foresee.outcome import ENOUGH
from gemeos.foresee.score import LeadScore
from gemeos.link.base import Arrival
from gemeos.runtime.host import Host
from gemeos.runtime.settings import read
from gemeos.schema.reading import Quality, Reading, Readings, Series
from gemeos.testing.linear import Linear
from gemeos.timeline.base import Timeline
from gemeos.timeline.memory import MemoryTimeline
from gemeos.units.instant import SECOND

CHILD = Path(__file__).with_name("killed_scores.py")
LEADS = ("1 s", "5 s", "20 s")
STEPS = (1, 5, 20)


def _child_module() -> ModuleType:
    spec = importlib.util.spec_from_file_location("killed_scores", CHILD)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["killed_scores"] = module
    spec.loader.exec_module(module)
    return module


child = _child_module()


def series(a: float, count: int, *, seed: int) -> Float64[np.ndarray, " time"]:
    """What a sensor of that model reads, a value a second."""
    rng = np.random.default_rng(seed)
    x = np.zeros(count)
    for i in range(1, count):
        x[i] = a * x[i - 1] + rng.normal()
    return x + child.SENSOR_SD * rng.normal(size=count)


def written(folder: Path, values: Float64[np.ndarray, " time"]) -> Path:
    """The series as a file."""
    rows = [f"{child.START // SECOND + i},{value!r}" for i, value in enumerate(values.tolist())]
    table = folder / "series.csv"
    table.write_text("\n".join(["time,y0", *rows]) + "\n")
    return table


def lived(
    folder: Path, values: Float64[np.ndarray, " time"], model: Linear
) -> tuple[LeadScore, ...]:
    """The scores of a twin of ``model`` that lived through ``values``."""
    twin = child.twin_of(model, LEADS)
    with gm.run(child.site_of(twin, written(folder, values), None, None)) as running:
        assert running.wait(100)
        scores: tuple[LeadScore, ...] = twin.trust().scores
    assert [score.lead for score in scores] == [k * SECOND for k in STEPS]
    return scores


@pytest.mark.no_cover
def test_that_the_true_model_of_a_series_scores_what_the_mathematics_says(tmp_path: Path) -> None:
    a = 0.9
    s2 = 1 / (1 - a**2)
    for score, k in zip(lived(tmp_path, series(a, 900, seed=1), child.walk(a)), STEPS, strict=True):
        own = math.sqrt(s2 * (1 - a ** (2 * k)))
        persistence = math.sqrt(2 * s2 * (1 - a**k))
        # Scores hang together over about ten steps and the lead: a tenth of the mean is three
        # standard errors of some sixty independent stretches.
        assert score.crps == pytest.approx(own / math.sqrt(math.pi), rel=0.1)
        assert score.persistence.low is not None
        assert score.persistence.high is not None
        assert score.persistence.low <= 1 - own / persistence <= score.persistence.high
        assert score.climatology is not None
        assert score.climatology.low is not None
        assert score.climatology.high is not None
        assert score.climatology.low <= 1 - own / math.sqrt(s2) <= score.climatology.high
        assert score.coverage == pytest.approx((0.5, 0.8, 0.9), abs=0.06)
    # At the longest lead, the model is worth its trouble beyond doubt.
    assert score.persistence.low is not None
    assert score.persistence.low > 0


@pytest.mark.no_cover
def test_that_nothing_beats_persistence_on_a_random_walk(tmp_path: Path) -> None:
    for score in lived(tmp_path, series(1.0, 900, seed=2), child.walk(1.0)):
        assert score.spread_known
        assert score.persistence.skill == pytest.approx(0.0, abs=0.06)
        # Persistence is the best forecast there is: nobody's skill is above zero, and that of a
        # finite ensemble is a little below.
        assert score.persistence.low is not None
        assert score.persistence.low <= 0.0


@pytest.mark.no_cover
def test_that_a_wrong_model_is_shown_to_be_worse_than_no_model_and_is_corrected(
    tmp_path: Path,
) -> None:
    # It believes that everything decays within ten steps, while it wanders off for ever.
    worst = lived(tmp_path, series(1.0, 900, seed=2), child.walk(0.9))[-1]
    alone = worst.before.persistence
    assert alone.high is not None
    assert alone.high < 0
    assert "of the model alone -" in str(worst)
    # Nine tenths of what it is worse than persistence is made good by leaving it.
    assert worst.persistence.skill is not None
    assert alone.skill is not None
    assert worst.persistence.skill > 0.1 * alone.skill


class Fed:
    """A site whose readings are put in by hand."""

    def __init__(
        self, timeline: Timeline | None = None, leads: tuple[str, ...] = ("1 s", "5 s")
    ) -> None:
        twin = child.twin_of(child.walk(0.9), leads, members=16)
        link = gm.HttpLink(name="file")
        clock = gm.Replay(child.START, 1.0, "made by the test")
        self.site = gm.Site("walks", twins=(twin,), links=(link,), clock=clock)
        self.host = Host(self.site, MemoryTimeline() if timeline is None else timeline)
        self.host.resume()

    def put(
        self, second: float, value: float, revision: int = 0, *, retracted: bool = False
    ) -> None:
        """One reading, on the path that every reading takes."""
        reading = Reading(
            Series("file", "y0"),
            child.START + round(second * SECOND),
            math.nan if retracted else value,
            revision=revision,
            quality=Quality.RETRACTED if retracted else Quality.GOOD,
        )
        arrival = Arrival(Readings.of([reading], self.host.timeline.book))
        commit = self.host._store(arrival)
        self.host._assimilate(arrival.readings, commit)

    @property
    def scores(self) -> tuple[LeadScore, ...]:
        """What trust shows."""
        return self.host.questions.trust("walk").scores


def test_that_a_forecast_is_issued_with_its_reading_and_scored_with_its_truth() -> None:
    fed = Fed()
    fed.put(0, 1.0)
    rows = fed.host.timeline.forecasts("walk", "y0", -(2**62), 2**62)
    assert [int(at - child.START) // SECOND for at in rows.valid_at] == [1, 5]
    assert rows.members.shape == (2, 16)
    assert list(fed.scores) == []
    fed.put(1, 2.5)
    assert len(fed.scores) == 1
    score = fed.scores[0]
    assert (score.lead, score.count) == (SECOND, 1)
    # Persistence is a bare value as yet: it said 1.0.
    assert score.persistence.crps == pytest.approx(1.5)
    assert not score.spread_known
    assert score.climatology is None
    members = rows.members[0]
    spread = np.abs(members[:, None] - members[None, :]).sum() / (2 * 16**2)
    assert score.before.crps == pytest.approx(float(np.abs(members - 2.5).mean() - spread))
    told = rows.corrected[0]
    level = (np.arange(len(told)) + 0.5) / len(told)
    loss = np.where(told < 2.5, level * (2.5 - told), (1.0 - level) * (told - 2.5))
    assert score.crps == pytest.approx(2.0 * float(loss.mean()))
    assert score.error == pytest.approx(abs(float(np.median(told)) - 2.5))
    # Nothing was learned yet: what is told is nearly what the members say.
    assert float(np.median(told)) == pytest.approx(float(np.median(members)), abs=0.05)


def test_that_a_corrected_truth_is_scored_again() -> None:
    values = series(0.9, 40, seed=3)
    first_wrong, right = Fed(), Fed()
    for second, value in enumerate(values):
        right.put(second, float(value))
        first_wrong.put(second, float(value) + (50.0 if second == 39 else 0.0))
    assert first_wrong.scores != right.scores
    first_wrong.put(39, float(values[39]), revision=1)
    assert first_wrong.scores == right.scores


def test_that_a_site_started_anew_tells_the_same_scores() -> None:
    fed = Fed()
    for second, value in enumerate(series(0.9, 3 * ENOUGH, seed=9)):
        fed.put(second, float(value))
    again = Fed(fed.host.timeline)
    assert fed.scores != ()
    assert again.scores == fed.scores
    # It goes on where the other one stopped: nothing is issued twice.
    again.put(3 * ENOUGH, 0.5)
    rows = again.host.timeline.forecasts("walk", "y0", -(2**62), 2**62)
    issued = set(zip(rows.issued_at.tolist(), rows.valid_at.tolist(), strict=True))
    assert len(issued) == len(rows.issued_at) == 2 * (3 * ENOUGH + 1)


def test_that_a_truth_that_is_taken_back_scores_nothing() -> None:
    fed = Fed()
    for second in range(10):
        fed.put(second, 0.1 * second)
    before = fed.scores[0].count
    fed.put(9, 0.0, revision=1, retracted=True)
    assert fed.scores[0].count == before - 1


def test_that_a_late_truth_is_scored_when_it_comes() -> None:
    in_order, late = Fed(), Fed()
    values = series(0.9, 12, seed=4)
    for second, value in enumerate(values):
        in_order.put(second, float(value))
        if second != 11 - 5:
            late.put(second, float(value))
    missing = in_order.scores[0].count - late.scores[0].count
    assert missing == 1
    late.put(11 - 5, float(values[11 - 5]))
    assert late.scores[0].count == in_order.scores[0].count


def test_that_a_truth_may_be_read_a_tenth_of_the_lead_before_its_instant() -> None:
    fed = Fed(leads=("20 s",))
    for k in range(9):
        fed.put(5 * k - 1.5, float(k))
    # Issued every second; each reading is the truth of the two instants that follow it within two
    # seconds, once a later one was read: 18.5 of 19 and 20, ... 33.5 of 34 and 35. The reading of
    # 38.5 is the newest: one of 39 may come yet.
    score = fed.scores[0]
    assert [int(at - child.START) // SECOND for at in (score.since, score.until)] == [19, 35]
    assert score.count == 8
    assert score.persistence.crps == pytest.approx(4.0)  # four readings later, each


def test_that_what_is_learned_of_forecasts_feeds_nothing_back_into_the_filter() -> None:
    held, free = Fed(), Fed()
    free_twin = gm.Twin("walk", child.walk(0.9), members=16).bind("file:y0", to="y0")
    free.host = Host(
        gm.Site("walks", twins=(free_twin,), links=free.site.links, clock=free.site.clock),
        MemoryTimeline(),
    )
    free.host.resume()
    for second, value in enumerate(series(0.9, 50, seed=5)):
        held.put(second, float(value))
        free.put(second, float(value))
    assert held.scores != ()
    assert free.scores == ()
    learned = {"issued", "awaiting", "read_then", "lessons", "forecast_drift"}
    one, other = held.host.snapshot("walk"), free.host.snapshot("walk")
    for field in fields(one):
        if field.name not in learned:
            np.testing.assert_array_equal(getattr(one, field.name), getattr(other, field.name))


def test_that_persistence_is_given_its_own_spread_once_enough_of_its_errors_are_known() -> None:
    fed = Fed()
    for second, value in enumerate(series(0.9, 2 * ENOUGH + 2, seed=6)):
        fed.put(second, float(value))
    one_step, five_steps = fed.scores
    assert one_step.spread_known
    assert one_step.persistence.count == one_step.count - ENOUGH
    # Five steps ahead it knew its errors four forecasts later.
    assert not five_steps.spread_known
    assert five_steps.persistence.count == five_steps.count


@pytest.mark.no_cover
def test_that_a_kill_at_any_moment_loses_no_score(tmp_path: Path) -> None:
    table = written(tmp_path, series(0.9, 600, seed=7))
    moments = np.random.default_rng(8)
    store = tmp_path / "killed.duckdb"
    for _ in range(2):
        running = subprocess.Popen(
            [sys.executable, str(CHILD), str(table), str(store)], stdout=subprocess.PIPE, text=True
        )
        assert running.stdout is not None
        begun = int(running.stdout.readline())
        until = begun + int(moments.integers(50, 200))
        for line in running.stdout:
            if int(line) >= until:
                break
        running.kill()
        running.wait()
        running.stdout.close()
    scores = []
    for path in (store, tmp_path / "calm.duckdb"):
        twin = child.twin_of(child.walk(0.9), ("1 s", "5 s"), members=16)
        with gm.run(child.site_of(twin, table, path, None)) as rest:
            assert rest.wait(80)
            scores.append(twin.trust().scores)
    assert scores[0] == scores[1]
    assert [score.count for score in scores[0]] == [599, 595]


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"leads": ("0.5 s",)}, "multiples of 1 s"),
        ({"leads": "1 s"}, "are lists"),
        ({"score": ("y0",)}, "needs leads"),
        ({"leads": ("1 s",), "score": ("y1",)}, "y1"),
        ({"leads": tuple(f"{k} s" for k in range(1, 14))}, "At most 12 leads"),
    ],
)
def test_that_a_lead_or_a_sensor_that_does_not_fit_is_refused(
    asked: dict[str, Sequence[str]], told: str
) -> None:
    with pytest.raises(SchemaError, match=told):
        gm.Twin("walk", child.walk(0.9), leads=asked.get("leads", ()), score=asked.get("score", ()))


def test_that_a_site_in_a_file_says_which_leads_are_scored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "scored_tank.py").write_text(
        "import gemeos as gm\n"
        "@gm.model(dt='1 s')\n"
        "class Tank:\n"
        "    level: float = gm.state('m', gm.normal(1, 1), noise=0.1)\n"
        "    def step(self, dt: float) -> 'Tank':\n"
        "        return Tank(level=self.level)\n"
        "    @gm.sensor('m', noise=0.1)\n"
        "    def gauge(self) -> float:\n"
        "        return self.level\n"
    )
    (tmp_path / "site.toml").write_text(
        '[site]\nname = "works"\n[link.a]\nkind = "http"\n[twin.tank]\ntype = "scored_tank:Tank"\n'
        'leads = ["1 min", "15 min"]\nscore = ["gauge"]\nforecast_every = "30 s"\n'
        '[[twin.tank.bind]]\nchannel = "a:gauge"\nto = "gauge"\n'
    )
    scoring = read(tmp_path / "site.toml").site.twins[0].scoring
    assert scoring is not None
    assert scoring.leads == (60 * SECOND, 900 * SECOND)
    assert (scoring.variables, scoring.every) == (("gauge",), 30 * SECOND)
