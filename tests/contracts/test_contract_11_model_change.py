"""Contract 11: a model can change under a living twin."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np

import gemeos as gm
from gemeos.ensemble.state import Monitor, TwinState, newborn
from gemeos.runtime.host import Host
from gemeos.runtime.run import timeline_of
from gemeos.schema.reading import Reading, Readings, Series
from gemeos.simulate import compile_model
from gemeos.units import span
from gemeos.units.instant import SECOND

START = 1_700_000_000 * SECOND


@gm.model(dt="1 s")
class Before:
    level: float = gm.state("m", gm.normal(1.0, 0.5), noise=0.02)
    leak: float = gm.param("1/s", gm.lognormal(0.01, 0.5), drift=0.001)
    old: float = gm.param("m", gm.normal(0.0, 0.1))

    def step(self, dt: float) -> Before:
        return Before(level=self.level - dt * self.leak * self.level + 0.0 * self.old)

    @gm.sensor("m", noise=0.05)
    def gauge(self) -> float:
        return self.level


@gm.model(dt="1 s")
class After:
    inflow: float = gm.param("m/s", gm.normal(0.0, 0.001), drift=1e-5)
    leak: float = gm.param("1/s", gm.uniform(0.0, 0.2), drift=0.001)
    level: float = gm.state("m", gm.normal(1.0, 0.5), noise=0.02)

    def step(self, dt: float) -> After:
        return After(level=self.level + dt * (self.inflow - self.leak * self.level))

    @gm.sensor("m", noise=0.05)
    def gauge(self) -> float:
        return self.level


def host_of(
    model: type, store: Path, leads: tuple[str, ...] = (), channels: tuple[str, ...] = ("gauge",)
) -> Host:
    twin = gm.Twin("tank", model, members=32, horizon="20 s", leads=leads)
    for channel in channels:
        twin.bind(f"hand:{channel}", to="gauge")
    site = gm.Site(
        "s", twins=(twin,), links=(gm.HttpLink(name="hand"),), keyframes_every=span("20 s")
    )
    return Host(site, timeline_of(store))


def fed(host: Host, seconds: range) -> None:
    rng = np.random.default_rng(2)
    series = Series("hand", "gauge")
    for s in seconds:
        rows = [Reading(series, START + s * SECOND, 3.0 + 0.05 * float(rng.normal()))]
        readings = Readings.of(rows, host.timeline.book)
        commit = host.timeline.append(readings, known_at=START + s * SECOND)
        host._assimilate(readings, commit)


def test_that_shared_variables_are_carried_over_by_name_and_new_ones_begin_with_priors(
    tmp_path: Path,
) -> None:
    store = tmp_path / "store.duckdb"
    first = host_of(Before, store)
    first.resume()
    fed(first, range(120))
    kept = first.timeline.keyframe_before("tank", 2**62)
    assert kept is not None
    first.close()

    second = host_of(After, store)
    second.resume()
    state = second.fleet("tank").state("tank")
    names = [v.name for v in second.fleet("tank").schema.estimated]
    assert names == ["level", "inflow", "leak"]
    values = second.fleet("tank").cycle.stepper.told(state, second.fleet("tank").crew)[0]
    # 3 m is four prior spreads from the prior's 1 m: only a carried level can be there at once.
    assert abs(values[0].mean() - 3.0) < 0.1
    assert values[2].min() > 0.0
    assert values[2].max() < 0.2
    event = second.timeline.events(kind="model_changed")[0]
    assert event.body["kept"] == "level, leak"
    assert event.body["begun"] == "inflow"
    assert event.body["dropped"] == "old"
    assert event.body["before"] == first.fleet("tank").cycle.identity
    fed(second, range(120, 160))
    assert int(second.snapshot("tank").assimilated[0]) == 160
    second.close()


def test_that_other_leads_begin_with_no_lessons_and_that_is_told(tmp_path: Path) -> None:
    store = tmp_path / "store.duckdb"
    first = host_of(Before, store, ("5 s",))
    first.resume()
    fed(first, range(120))
    assert first.fleet("tank").state("tank").lessons[0, 0].any()
    first.close()
    second = host_of(Before, store, ("5 s", "20 s"))
    second.resume()
    event = second.timeline.events(kind="model_changed")[0]
    assert event.body["kept"] == "level, leak, old"
    assert event.body["dropped"] == "what was learned of its forecasts"
    second.close()


def test_that_channels_keep_their_history_by_name_when_others_are_bound_or_let_go(
    tmp_path: Path,
) -> None:
    def heard(channels: tuple[str, ...]) -> list[float]:
        host = host_of(Before, tmp_path / "store.duckdb", channels=channels)
        host.resume()
        counts = host.fleet("tank").state("tank").monitors[0, :, Monitor.COUNT].tolist()
        assert not host.timeline.events(kind="model_changed")
        host.close()
        return counts

    first = host_of(Before, tmp_path / "store.duckdb")
    first.resume()
    fed(first, range(120))
    first.close()
    # Those in the stored state, and those behind it.
    assert heard(("gauge",)) == [120.0]
    assert heard(("a new one", "gauge")) == [0.0, 120.0]
    assert heard(("gauge", "spare")) == [120.0, 0.0]
    assert heard(("spare",)) == [0.0]


def test_that_twins_restored_together_equal_those_that_never_stopped(tmp_path: Path) -> None:
    twins = tuple(
        gm.Twin(f"tank-{n}", Before, members=8, horizon="20 s").bind(f"hand:{n}", to="gauge")
        for n in range(3)
    )
    site = gm.Site(
        "s", twins=twins, links=(gm.HttpLink(name="hand"),), keyframes_every=span("20 s")
    )
    # The second falls silent, the third early: its keyframe is an older one, the third has none.
    until = {0: 120, 1: 60, 2: 5}
    host = Host(site, timeline_of(tmp_path / "store.duckdb"))
    host.resume()
    for s in range(120):
        rows = [
            Reading(Series("hand", str(n)), START + s * SECOND, 2.0 + 0.01 * n)
            for n, end in until.items()
            if s < end
        ]
        readings = Readings.of(rows, host.timeline.book)
        host._assimilate(readings, host.timeline.append(readings, known_at=START + s * SECOND))
    lived = {t.name: host.snapshot(t.name).digest() for t in twins}
    at = {t.name: host.timeline.keyframe_before(t.name, 2**62) for t in twins}
    assert at["tank-2"] is None
    assert at["tank-0"] is not None
    assert at["tank-1"] is not None
    assert at["tank-1"].valid_at < at["tank-0"].valid_at
    host.close()
    again = Host(site, timeline_of(tmp_path / "store.duckdb"))
    again.resume()
    assert {t.name: again.snapshot(t.name).digest() for t in twins} == lived
    again.close()


def test_that_the_change_is_told_once_and_not_at_every_start(tmp_path: Path) -> None:
    store = tmp_path / "store.duckdb"
    first = host_of(Before, store)
    first.resume()
    fed(first, range(120))
    first.close()
    for _ in range(3):
        again = host_of(After, store)
        again.resume()
        assert len(again.timeline.events(kind="model_changed")) == 1
        again.close()


def test_that_every_keyframe_and_estimate_names_the_model_that_made_it(tmp_path: Path) -> None:
    host = host_of(Before, tmp_path / "store.duckdb")
    host.resume()
    fed(host, range(120))
    keyframe = host.timeline.keyframe_before("tank", 2**62)
    assert keyframe is not None
    assert keyframe.model == host.fleet("tank").cycle.identity
    assert host.questions.now("tank").provenance.model == keyframe.model
    assert host.questions.at("tank", START + 100 * SECOND).provenance.model == keyframe.model
    host.close()


def test_that_a_state_that_was_stored_before_there_were_windows_is_read() -> None:
    keys = np.array([7], np.uint64)
    state = newborn(compile_model(Before).schema, keys, members=5, channels=2)
    told = msgspec.msgpack.decode(state.to_bytes())
    for name in ("simulations", "window_read", "window_driven"):
        del told[name]
    again = TwinState.from_bytes(msgspec.msgpack.encode(told))
    assert again.digest() == state.digest()
