"""Maps and cycles as SVG: what stands where, how large, and in words."""

from __future__ import annotations

import itertools
import math
import re

import pytest

from gemeos.schema.scene import Cycle, Ground, Lights, Mark, Road, Shows, Stretch
from gemeos.serve import chart_cycle, chart_map
from gemeos.serve.chart_map import Held, apart

SQUARE = Ground(
    roads=(Road(((0.0, 0.0), (1000.0, 0.0))), Road(((0.0, 0.0), (0.0, 1000.0)), lanes=2)),
    marks=(
        Mark("a", (1000.0, 0.0), reads={"q": "count_a"}),
        Mark("b", (0.0, 1000.0), reads={"q": "count_b"}),
        Mark("nowhere", None, reads={"q": "count_c"}),
    ),
    signals={"x<y": (0.0, 0.0)},
)
HELD = {
    "a": Held(2.0, 4.0, 8.0, "4, 2 to 8"),
    "b": Held(0.0, 1.0, 2.0, "1, 0 to 2", is_silent=True),
    "nowhere": Held(1.0, 1.0, 1.0, "1"),
}


def drawn(ground: Ground = SQUARE) -> str:
    return chart_map.drawn(ground, HELD, name="m", title="city: q", told="so much", unit="1/h")


def circle(part: str, kind: str) -> tuple[float, float, float]:
    found = re.search(rf"<circle class='{kind}' cx='([\d.]+)' cy='([\d.]+)' r='([\d.]+)'", part)
    assert found
    return float(found[1]), float(found[2]), float(found[3])


def group(svg: str, name: str) -> str:
    found = re.search(rf"<g><title>{name}: .*?</g>", svg)
    assert found
    return found[0]


def test_that_the_disc_is_the_low_end_and_the_ring_the_high_end_by_their_areas() -> None:
    part = group(drawn(), "a")
    low, high = circle(part, "disc"), circle(part, "ring")
    assert low[:2] == high[:2]
    # 8 is four times 2, so the ring is twice as wide.
    assert high[2] / low[2] == pytest.approx(2.0, rel=0.03)


def test_that_north_is_up_and_east_is_right() -> None:
    a, b = group(drawn(), "a"), group(drawn(), "b")
    x, y, _ = circle(a, "disc")
    cross = re.search(r"class='silent' d='M([\d.]+) ([\d.]+)l", b)
    assert cross
    assert float(cross[1]) < x
    assert float(cross[2]) < y


def test_that_a_silent_detector_is_a_cross_and_one_without_a_place_is_not_drawn() -> None:
    svg = drawn()
    assert "circle" not in group(svg, "b")
    assert "nowhere" not in svg


def test_that_names_are_escaped_and_the_picture_has_words() -> None:
    svg = drawn()
    assert "x<y" not in svg
    assert svg.count("x&lt;y") == 2  # beside its diamond, and as its title
    assert "<desc id='m-told'>so much</desc>" in svg
    assert "disc: at least, ring: at most (90 %)" in svg


def test_that_names_cover_neither_each_other_nor_discs_nor_leave_the_picture() -> None:
    near = Ground(
        SQUARE.roads,
        SQUARE.marks,
        signals={f"junction{n}": (990.0 - 2.0 * n, 2.0 * n) for n in range(9)},
    )
    svg = drawn(near)
    told = re.findall(r"<text class='name' x='([-\d.]+)' y='([-\d.]+)'>([^<]+)<", svg)
    boxes = [(float(x), float(y), float(x) + 8.0 * len(name)) for x, y, name in told]
    assert boxes
    assert all(left >= 0 and right <= chart_map.WIDTH for left, _, right in boxes)
    for one, other in itertools.combinations(boxes, 2):
        assert abs(one[1] - other[1]) >= 13 or one[2] <= other[0] or other[2] <= one[0]
    # All are there as titles.
    assert all(f"<title>signal junction{n}</title>" in svg for n in range(9))


def test_that_the_bar_is_as_long_as_it_says() -> None:
    svg = drawn()
    road = re.search(r"stroke-width='1.5' d='M([\d.]+) [\d.]+L([\d.]+)", svg)
    bar = re.search(r"M([\d.]+) [\d.]+v4H([\d.]+)v-4'/><text[^>]*>(\d+) m<", svg)
    assert road
    assert bar
    per_metre = (float(road[2]) - float(road[1])) / 1000.0
    assert float(bar[2]) - float(bar[1]) == pytest.approx(per_metre * float(bar[3]), abs=0.3)


def test_that_all_roads_as_wide_are_one_path() -> None:
    roads = tuple(Road(((0.0, float(n)), (100.0, float(n)))) for n in range(500))
    svg = drawn(Ground(roads, SQUARE.marks))
    assert svg.count("class='road'") == 1


def test_that_a_map_of_nothing_can_be_drawn() -> None:
    svg = chart_map.drawn(Ground((), ()), {}, name="m", title="t", told="nothing", unit="")
    assert "nan" not in svg


def test_that_what_lies_on_each_other_is_moved_apart_and_not_far() -> None:
    places = [(100.0, 100.0)] * 12
    found = apart(places, 10.0)
    assert found[0] == (100.0, 100.0)
    assert all(math.dist(a, b) >= 10.0 - 1e-6 for a, b in itertools.combinations(found, 2))
    assert all(math.dist(each, (100.0, 100.0)) <= 30.0 + 1e-6 for each in found)
    # Who has room stays where it is.
    assert apart([(0.0, 0.0), (50.0, 0.0)], 10.0) == [(0.0, 0.0), (50.0, 0.0)]


SIMPLE = Cycle(
    60.0,
    5.0,
    (
        Lights(
            "0-1",
            "from a",
            (
                Stretch(0.0, 30.0, Shows.GREEN),
                Stretch(30.0, 33.0, Shows.YELLOW),
                Stretch(33.0, 60.0, Shows.RED),
            ),
            10.0,
        ),
        Lights("2", "", (Stretch(0.0, 60.0, Shows.RED),)),
    ),
)


def test_that_a_green_is_as_long_as_its_seconds_and_its_least_is_marked() -> None:
    svg = chart_cycle.drawn(SIMPLE, name="c", title="t")
    bar = re.search(r"<rect class='green' x='([\d.]+)' y='[\d.]+' width='([\d.]+)'", svg)
    mark = re.search(r"class='least' d='M([\d.]+) ", svg)
    assert bar
    assert mark
    assert float(mark[1]) - float(bar[1]) == pytest.approx(float(bar[2]) / 3.0, abs=0.1)
    assert svg.count("class='red'") == 3  # of both rows, and in the key


def test_that_cycles_beside_each_other_have_one_scale() -> None:
    def width(lasts_s: float | None) -> float:
        svg = chart_cycle.drawn(SIMPLE, name="c", title="t", lasts_s=lasts_s)
        found = re.search(r"<rect class='green' x='[\d.]+' y='[\d.]+' width='([\d.]+)'", svg)
        assert found
        return float(found[1])

    assert width(120.0) == pytest.approx(width(None) / 2.0, abs=0.1)


def test_that_a_cycle_is_told_in_words() -> None:
    assert (
        chart_cycle.in_words(SIMPLE)
        == "A cycle of 60 s. lights 0-1: 0 to 30 s; lights 2: never green."
    )
