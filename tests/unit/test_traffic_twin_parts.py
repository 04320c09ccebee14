"""What of a district's twin needs no simulator: assumed trips, names, and what may be set."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import pytest

from gemeos.errors import SchemaError
from gemeos.twins.traffic.decisions import name_of
from gemeos.twins.traffic.demand.assumed import assumed_trips
from gemeos.twins.traffic.network import Connection, Coordinates, Edge, Lane, Network

ROADS = {"in": ("a", "b", 2), "left": ("b", "c", 1), "right": ("b", "d", 3), "back": ("b", "a", 1)}


def network(*following: tuple[str, str]) -> Network:
    """A road with two lanes, and where it leads; what assumed trips look at."""
    edges = {
        i: Edge(i, begins, ends, tuple(Lane(f"{i}_{n}", 100.0, 13.9) for n in range(lanes)))
        for i, (begins, ends, lanes) in ROADS.items()
    }
    return known(edges, following)


def known(edges: Mapping[str, Edge], following: Iterable[tuple[str, str]]) -> Network:
    """Roads, and which leads to which, straight on."""
    ways = tuple(Connection(a, b, 0, 0, "s", "M") for a, b in following)
    at = Coordinates("!", (0.0, 0.0), (0.0, 0.0, 0.0, 0.0))
    lanes = {lane.id: lane for e in edges.values() for lane in e.lanes}
    return Network(edges, lanes, {}, ways, {}, {}, {}, at)


def test_that_assumed_trips_go_where_there_are_lanes_and_none_is_lost() -> None:
    found = assumed_trips(network(("in", "left"), ("in", "right"), ("in", "back")))
    # 150 an hour over each of two lanes, 1 to 3 by the lanes of leaving; back is nowhere new.
    assert {pair: n for pair, n in found.items() if pair[0] == "in"} == {
        ("in", "left"): 75,
        ("in", "right"): 225,
    }


def test_that_a_district_without_ends_is_told() -> None:
    closed = {i: e for i, e in network().edges.items() if i in {"left", "right"}}
    with pytest.raises(SchemaError, match="routes"):
        assumed_trips(known(closed, [("left", "right"), ("right", "left")]))


def test_that_turning_round_onto_a_piece_of_the_same_road_is_no_way_in() -> None:
    # A dead end; the road back to the junction is cut in two, so its ends say nothing.
    roads = {"out": ("x", "d"), "back": ("d", "m"), "on": ("m", "x")}
    edges = {i: Edge(i, a, b, (Lane(f"{i}_0", 100.0, 13.9),)) for i, (a, b) in roads.items()}
    ways = known(edges, [("back", "on"), ("on", "out")])
    turning = Connection("out", "back", 0, 0, "t", "M")
    whole = replace(ways, connections=(*ways.connections, turning))
    assert assumed_trips(whole) == {("back", "out"): 150}


def test_that_no_two_things_have_one_name() -> None:
    names = name_of(["0/0", "0-0", "K218"])
    assert len(set(names.values())) == 3
    assert all(name.isidentifier() for name in names.values())
    assert names["K218"] == "K218"
