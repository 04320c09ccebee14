from __future__ import annotations

import copy
import datetime as dt
import math
import sys
from collections.abc import Iterator

import matplotlib as mpl
import numpy as np
import pyarrow as pa
import pytest
from jaxtyping import Float
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.dates import date2num

from gemeos.ensemble.condition import parse
from gemeos.ensemble.estimate import (
    Estimate,
    Filtered,
    Forecast,
    Kind,
    Marginal,
    Provenance,
    Scenario,
    Smoothed,
)
from gemeos.errors import (
    AssimilationError,
    ConditionError,
    InputError,
    OutOfReachError,
    TimeError,
    UnitError,
    UnknownNameError,
)
from gemeos.units import instant

NOON = instant("2026-07-01T12:00+09:00")
MINUTE = 60_000_000
ONE_TO_NINE = np.arange(1.0, 10.0)
VARIABLES = ("stress", "T2.power", "T2.gear.heat")
UNITS = ("MPa", "kW", "degC")


def estimate(
    *,
    times: int = 1,
    kind: Kind | None = None,
    variables: tuple[str, ...] = VARIABLES,
    units: tuple[str, ...] = UNITS,
    start: int = NOON,
    source: str = "live",
) -> Estimate:
    """Members 1..9 in the first variable, ten and a hundred times that in the others.

    Each later time has all members one higher.
    """
    scales = np.array([1.0, 10.0, 100.0])[: len(variables), None]
    values = np.stack([scales * ONE_TO_NINE + later for later in range(times)])
    return Estimate(
        twin="farm",
        kind=kind or Filtered(),
        times=start + MINUTE * np.arange(times),
        variables=variables,
        units=units,
        values=values,
        provenance=Provenance("3fa9", 9, start - 2_000_000, start, source),
        zone="Asia/Seoul",
    )


def test_that_mean_and_spread_are_those_of_the_members() -> None:
    stress = estimate(times=2)["stress"]
    np.testing.assert_allclose(stress.mean, [5.0, 6.0])
    np.testing.assert_allclose(stress.sd, [math.sqrt(60.0 / 8.0)] * 2)
    assert stress.unit == "MPa"
    assert stress.members.shape == (2, 9)


def test_that_the_kth_of_nine_members_is_the_quantile_at_k_tenths() -> None:
    stress = estimate()["stress"]
    for k in range(1, 10):
        np.testing.assert_allclose(stress.quantile(k / 10), [k])
    np.testing.assert_allclose(stress.quantile(0.25), [2.5])
    np.testing.assert_allclose(stress.quantile(0.01), [1.0])
    np.testing.assert_allclose(stress.quantile(1.0), [9.0])


def test_that_an_interval_holds_a_truth_as_good_as_a_member_as_often_as_it_says() -> None:
    drawn = np.random.default_rng(3).normal(size=(20_000, 20))
    fleet = Marginal("x", "", np.arange(20_000), drawn[:, :19])
    low, high = fleet.interval(0.8)
    held = ((low <= drawn[:, 19]) & (drawn[:, 19] <= high)).mean()
    assert held == pytest.approx(0.8, abs=4 * math.sqrt(0.8 * 0.2 / 20_000))


@pytest.mark.parametrize("level", [-0.1, 1.1, math.nan])
def test_that_a_level_that_is_no_probability_is_refused(level: float) -> None:
    stress = estimate()["stress"]
    with pytest.raises(InputError, match="level"):
        stress.quantile(level)
    with pytest.raises(InputError, match="level"):
        stress.interval(level)


def test_that_spread_far_from_nought_survives_members_in_float32() -> None:
    values = (1000.0 + 0.25 * ONE_TO_NINE).astype(np.float32)[None, :]
    far = Marginal("x", "", np.array([0]), values)
    np.testing.assert_allclose(far.sd, [0.25 * math.sqrt(7.5)], rtol=1e-9)


def test_that_a_probability_is_the_share_of_members() -> None:
    both = estimate(times=3)
    np.testing.assert_allclose(both.prob("stress > 6 MPa"), [3 / 9, 4 / 9, 5 / 9])
    np.testing.assert_allclose(both.prob("stress > 6 MPa and T2.power < 0.08 MW")[0], 1 / 9)
    np.testing.assert_allclose(both["stress"].prob("> 6 MPa"), [3 / 9, 4 / 9, 5 / 9])
    np.testing.assert_allclose(both["stress"].prob(" <= 6e6 Pa"), [6 / 9, 5 / 9, 4 / 9])
    np.testing.assert_allclose(both["stress"].prob("2 MPa < stress < 4 MPa")[0], 1 / 9)
    np.testing.assert_allclose(both["stress"].prob(parse("stress > 6 MPa"))[0], 3 / 9)
    np.testing.assert_allclose(both.T2.power.prob("power > 60 kW")[0], 3 / 9)


def test_that_which_members_meet_a_condition_is_told_for_each() -> None:
    held = estimate(times=2).holds("stress >= 9 MPa")
    assert np.argwhere(held).tolist() == [[0, 8], [1, 7], [1, 8]]


def test_that_a_condition_is_checked_against_names_and_units() -> None:
    now = estimate()
    with pytest.raises(UnknownNameError, match="Did you mean 'stress'"):
        now.prob("strss > 3 MPa")
    with pytest.raises(UnitError, match="3 MPa"):
        now.prob("stress > 3")
    with pytest.raises(UnknownNameError):
        now["stress"].prob("T2.power > 3 kW")
    with pytest.raises(ConditionError):
        now["stress"].prob(">")


def test_that_variables_and_parts_are_reached_by_dots() -> None:
    now = estimate()
    assert now.stress.mean.tolist() == [5.0]
    assert now.T2.power.mean.tolist() == [50.0]
    assert now.T2.gear.heat.unit == "degC"
    assert now["T2.gear.heat"].mean.tolist() == [500.0]


def test_that_a_part_has_its_variables_under_short_names() -> None:
    part = estimate(times=2).part("T2")
    assert part.twin == "farm/T2"
    assert part.variables == ("power", "gear.heat")
    assert part.units == ("kW", "degC")
    np.testing.assert_allclose(part["gear.heat"].mean, [500.0, 501.0])
    assert part.part("gear").twin == "farm/T2/gear"
    with pytest.raises(UnknownNameError, match=r"no part 'T3'.*There are: T2, T2\.gear"):
        estimate().part("T3")


def test_that_a_misspelt_variable_is_answered_with_the_nearest() -> None:
    now = estimate()
    with pytest.raises(UnknownNameError, match=r"estimate of farm .* Did you mean 'stress'"):
        now["strss"]
    with pytest.raises(UnknownNameError, match="Did you mean 'stress'"):
        _ = now.strss
    with pytest.raises(UnknownNameError, match="Did you mean 'power'"):
        _ = now.T2.powr


def test_that_python_and_notebooks_can_probe_for_what_is_not_there() -> None:
    now = estimate()
    assert not hasattr(now, "strss")
    assert getattr(now, "strss", 3) == 3
    assert not hasattr(now, "_ipython_display_")
    assert not hasattr(now, "__array__")
    assert {"stress", "T2", "T2.gear", "prob"} <= set(dir(now))
    assert now._ipython_key_completions_() == list(VARIABLES)


def test_that_copies_hold_the_same() -> None:
    now = estimate()
    for copied in (copy.copy(now), copy.deepcopy(now)):
        assert copied.stress.mean.tolist() == [5.0]
        assert copied.provenance == now.provenance
    assert not hasattr(object.__new__(Estimate), "values")


def test_that_a_variable_named_like_a_field_is_reached_by_brackets() -> None:
    odd = estimate(variables=("values", "at"), units=("", ""))
    assert odd["values"].mean.tolist() == [5.0]
    assert odd["at"].mean.tolist() == [50.0]


def test_that_the_newest_time_not_after_the_asked_one_is_given() -> None:
    course = estimate(times=3)
    asked: list[tuple[int | str | dt.datetime, float]] = [
        (NOON, 5.0),
        (NOON + MINUTE - 1, 5.0),
        ("2026-07-01T12:01+09:00", 6.0),
        ("2026-07-01T03:01:30Z", 6.0),
        ("2026-07-01T12:01:30", 6.0),  # no offset: the zone of the estimate
        (dt.datetime(2026, 7, 2, tzinfo=dt.UTC), 7.0),
    ]
    for when, mean in asked:
        found = course.at(when)
        assert found.stress.mean.tolist() == [mean]
        assert len(found.times) == 1
        assert found.kind == course.kind


def test_that_a_time_before_the_first_is_out_of_reach() -> None:
    with pytest.raises(OutOfReachError, match=r"begins at 2026-07-01T12:00:00\+09:00"):
        estimate().at(NOON - 1)
    with pytest.raises(TimeError):
        estimate().at("noon")


def test_that_members_that_are_not_finite_are_refused_by_name() -> None:
    whole = estimate()
    for bad in (math.nan, math.inf):
        values = whole.to_numpy()
        values[0, 1, 4] = bad
        with pytest.raises(AssimilationError, match=r"not finite in T2\.power;"):
            rebuilt(whole, values=values)


def rebuilt(
    whole: Estimate,
    *,
    values: Float[np.ndarray, "..."] | None = None,
    times: list[int] | None = None,
    variables: tuple[str, ...] | None = None,
    units: tuple[str, ...] | None = None,
    zone: str = "UTC",
) -> Estimate:
    return Estimate(
        twin=whole.twin,
        kind=whole.kind,
        times=whole.times if times is None else np.array(times, np.int64),
        variables=variables or whole.variables,
        units=units or whole.units,
        values=whole.values if values is None else values,
        provenance=whole.provenance,
        zone=zone,
    )


def test_that_an_estimate_that_does_not_fit_together_is_refused() -> None:
    two = estimate(times=2)
    with pytest.raises(InputError, match="shape"):
        rebuilt(two, values=two.values[:1])
    with pytest.raises(InputError, match="shape"):
        rebuilt(two, values=two.values[0])
    with pytest.raises(InputError, match="two members"):
        rebuilt(two, values=two.values[:, :, :1])
    with pytest.raises(InputError, match="3 variables have 2 units"):
        rebuilt(two, units=("MPa", "kW"))
    with pytest.raises(InputError, match="name of its own"):
        rebuilt(two, variables=("a", "b", "a"))
    with pytest.raises(InputError, match="rise"):
        rebuilt(two, times=[NOON, NOON])
    with pytest.raises(InputError, match="needs a time"):
        rebuilt(two, times=[], values=two.values[:0])
    with pytest.raises(TimeError, match="Did you mean"):
        rebuilt(two, zone="Asia/Seol")


def test_that_an_estimate_cannot_be_written_to_but_its_copy_can() -> None:
    now = estimate()
    with pytest.raises(ValueError, match="read-only"):
        now.values[0, 0, 0] = 3.0
    with pytest.raises(ValueError, match="read-only"):
        now.stress.members[0, 0] = 3.0
    mine = now.to_numpy()
    mine[0, 0, 0] = 99.0
    assert now.stress.members[0, 0] == 1.0


def test_that_the_terminal_shows_an_aligned_table_with_doubt_and_source() -> None:
    source = "recorded 2014-03-14, x600"
    assert repr(estimate(source=source)).splitlines() == [
        "farm: filtered; 2026-07-01T12:00:00+09:00 (Asia/Seoul)",
        f"  source: {source}; 9 members; data until 2026-07-01T11:59:58+09:00; model 3fa9",
        "  variable      mean  +- sd  90 % interval  unit",
        "  stress         5.0    2.7     1.0 .. 9.0  MPa",
        "  T2.power        50     27       10 .. 90  kW",
        "  T2.gear.heat   500    274     100 .. 900  degC",
    ]


def test_that_several_times_are_shown_by_their_first_and_last() -> None:
    noon, two_past = "2026-07-01T12:00:00+09:00", "2026-07-01T12:02:00+09:00"
    issued = Forecast(issued_at=NOON)
    shown = repr(estimate(times=3, kind=issued, variables=("x",), units=("",)))
    assert shown.splitlines() == [
        f"farm: forecast issued at {noon}; 3 times, {noon} to {two_past} (Asia/Seoul)",
        "  source: live; 9 members; data until 2026-07-01T11:59:58+09:00; model 3fa9",
        "  variable  first mean  +- sd  90 % interval  last mean  +- sd  90 % interval  unit",
        "  x                5.0    2.7     1.0 .. 9.0        7.0    2.7    3.0 .. 11.0  1",
    ]


def test_that_each_kind_is_told_in_words() -> None:
    assert "smoothed with readings of 600 s after" in repr(estimate(kind=Smoothed(10 * MINUTE)))
    assert "scenario typhoon" in repr(estimate(kind=Scenario("typhoon")))


def test_that_a_long_table_counts_what_it_leaves_out() -> None:
    whole = estimate()
    many = Estimate(
        "farm",
        Filtered(),
        whole.times,
        tuple(f"v{i}" for i in range(43)),
        ("",) * 43,
        np.tile(ONE_TO_NINE, (1, 43, 1)),
        whole.provenance,
    )
    assert repr(many).splitlines()[-2:] == [
        "  v39        5.0    2.7     1.0 .. 9.0  1",
        "  and 3 more variables",
    ]
    assert "<p>and 3 more variables</p>" in many._repr_html_()


@pytest.mark.parametrize(
    ("mean", "spread", "expected"),
    [
        (1529.4, 35.0, "x: 1529 +- 35 kW"),
        (0.0012, 1e-5, "x: 0.001200 +- 0.000010 kW"),
        (2e8, 4e5, "x: 2.0000e+08 +- 4.0e+05 kW"),
        (0.0, 0.0, "x: 0 +- 0 kW"),
        (3.25, 0.0, "x: 3.25 +- 0 kW"),
        (4e-12, 2.5e-13, "x: 4.00e-12 +- 2.5e-13 kW"),
        (-0.3, 35.0, "x: 0 +- 35 kW"),
    ],
)
def test_that_a_number_is_told_to_the_second_digit_of_its_spread(
    mean: float, spread: float, expected: str
) -> None:
    two = mean + spread / math.sqrt(2.0) * np.array([[-1.0, 1.0]])
    assert repr(Marginal("x", "kW", np.array([0]), two)).startswith(f"{expected}, 90 % within")


def test_that_a_marginal_says_which_instant_it_shows() -> None:
    shown = repr(estimate(times=3).stress)
    assert shown == "stress: 7.0 +- 2.7 MPa, 90 % within 3.0 .. 11.0 (the last of 3 instants)"


def test_that_notebooks_are_given_escaped_html() -> None:
    hostile = ("<i>", "T2.power", "T2.gear.heat")
    html = estimate(
        source="<script>alert(1)</script>", kind=Scenario("a&b"), variables=hostile
    )._repr_html_()
    assert "<td>&lt;i&gt;</td>" in html
    assert "<script>" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert "scenario a&amp;b" in html
    assert "<tr><td>T2.power</td><td>50</td><td>27</td><td>10 .. 90</td><td>kW</td></tr>" in html


def test_that_a_table_has_a_row_for_each_time_variable_and_member() -> None:
    table = estimate(times=2, units=("MPa", "kW", "kW")).to_arrow()
    assert table.column_names == ["twin", "time", "variable", "unit", "member", "value"]
    assert table.num_rows == 2 * 3 * 9
    row = table.slice(9 * 3 + 9 * 1 + 4, 1).to_pylist()[0]  # second time, T2.power, fifth member
    seoul = dt.timezone(dt.timedelta(hours=9))
    assert row == {
        "twin": "farm",
        "time": dt.datetime(2026, 7, 1, 12, 1, tzinfo=seoul),
        "variable": "T2.power",
        "unit": "kW",
        "member": 4,
        "value": 51.0,
    }
    assert table.schema.field("time").type == pa.timestamp("us", tz="Asia/Seoul")
    assert table.schema.metadata[b"source"] == b"live"
    assert table.schema.metadata[b"kind"] == b"filtered"


def test_that_the_frame_of_pandas_is_the_table_of_arrow() -> None:
    whole = estimate(times=2, units=("MPa", "kW", "kW"), source="recorded")
    frame = whole.to_pandas()
    assert frame.equals(whole.to_arrow().to_pandas())
    assert frame.attrs["source"] == "recorded"
    means = frame.groupby(["time", "variable"], observed=True)["value"].mean()
    assert means.loc[(frame["time"].iloc[0], "T2.power")] == pytest.approx(50.0)


@pytest.mark.parametrize(
    ("package", "extra"), [("pandas", "tables"), ("pyarrow", "tables"), ("matplotlib", "plot")]
)
def test_that_a_missing_package_is_told_with_what_brings_it(
    package: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in [m for m in sys.modules if m == package or m.startswith(f"{package}.")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, package, None)
    now = estimate()
    ask = {
        "pandas": now.to_pandas,
        "pyarrow": now.to_arrow,
        "matplotlib": lambda: now.plot("stress"),
    }
    with pytest.raises(InputError, match=rf"needs {package}.*gemeos\[{extra}\]"):
        ask[package]()  # type: ignore[no-untyped-call]


@pytest.fixture
def axes() -> Iterator[Axes]:
    mpl.use("Agg")
    figure, axes = plt.subplots()
    yield axes
    plt.close(figure)


def days(utc: str) -> float:
    """As matplotlib counts them."""
    return float(date2num(np.datetime64(utc)))  # type: ignore[no-untyped-call]


def upright(axes: Axes) -> list[float]:
    """Where the upright lines stand."""
    return [
        float(np.asarray(line.get_xdata())[0])
        for line in axes.lines
        if len(set(np.asarray(line.get_xdata()).tolist())) == 1 and line.get_label() == "now"
    ]


def test_that_the_fan_has_a_median_within_bands_of_90_80_and_50_percent(axes: Axes) -> None:
    forecast = estimate(times=3, kind=Forecast(NOON), source="recorded 2014-03-14, x600")
    assert forecast.plot("stress", axes=axes) is axes
    median = axes.lines[0]
    np.testing.assert_allclose(np.asarray(median.get_ydata()), [5.0, 6.0, 7.0])
    bands = [c.get_paths()[0].vertices for c in axes.collections if isinstance(c, PolyCollection)]
    lowest_and_highest = [(v[:, 1].min(), v[:, 1].max()) for v in map(np.asarray, bands)]
    # Nine members: 90 % is cut at the outermost; 80 % ends at the 1st and 9th; 50 % at 2.5 and 7.5.
    np.testing.assert_allclose(lowest_and_highest, [(1.0, 11.0), (1.0, 11.0), (2.5, 9.5)])
    noon = days("2026-07-01T03:00")
    assert upright(axes) == pytest.approx([noon])
    legend = axes.get_legend()
    assert legend is not None
    assert legend.get_title().get_text() == "source: recorded 2014-03-14, x600"
    assert axes.get_ylabel() == "stress [MPa]"
    assert axes.get_title() == "farm, forecast issued at 2026-07-01T12:00:00+09:00"


def test_that_the_time_axis_is_in_the_zone_of_the_site(axes: Axes) -> None:
    estimate(times=61, kind=Forecast(NOON)).plot("stress", axes=axes)
    axes.figure.canvas.draw()
    told = [label.get_text() for label in axes.get_xticklabels()]
    assert "12:30" in told
    assert "03:30" not in told


def test_that_what_came_before_is_drawn_up_to_now(axes: Axes) -> None:
    past = estimate(times=5, start=NOON - 5 * MINUTE)
    estimate(times=3, kind=Scenario("typhoon")).plot("stress", past=past, axes=axes)
    last = days("2026-07-01T02:59")
    assert upright(axes) == pytest.approx([last])
    assert len([c for c in axes.collections if isinstance(c, PolyCollection)]) == 6
    other = estimate(units=("kPa", "kW", "degC"))
    with pytest.raises(InputError, match="MPa here, in kPa before"):
        estimate().plot("stress", past=other, axes=axes)


def test_that_a_single_instant_is_drawn_as_bars(axes: Axes) -> None:
    estimate().plot("stress", axes=axes)
    (path,) = axes.collections[0].get_paths()
    assert np.asarray(path.vertices)[:, 1].tolist() == [1.0, 9.0]
    assert upright(axes) == []
    low, high = axes.get_xlim()
    assert (high - low) * 1440 == pytest.approx(2.0)


def test_that_one_call_makes_a_figure_of_its_own() -> None:
    mpl.use("Agg")
    drawn = estimate(times=2).plot("T2.power")
    assert drawn.get_ylabel() == "T2.power [kW]"
    plt.close("all")


def test_that_only_the_asked_variables_are_kept_in_the_asked_order() -> None:
    some = estimate().only(["T2.gear.heat", "stress"])
    assert some.variables == ("T2.gear.heat", "stress")
    assert some.units == ("degC", "MPa")
    assert some["stress"].mean.tolist() == [5.0]
    assert some["T2.gear.heat"].mean.tolist() == [500.0]
    with pytest.raises(UnknownNameError, match=r"no variable 'sress'.*Did you mean 'stress'"):
        estimate().only(["sress"])
