"""What of a district's twin needs no simulator: assumed trips, names, and what may be set."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest

from gemeos.errors import SchemaError
from gemeos.twins.traffic.decisions import name_of
from gemeos.twins.traffic.demand.assumed import assumed_trips
from gemeos.twins.traffic.network import Edge, Lane, Network

ROADS = {"in": ("a", "b", 2), "left": ("b", "c", 1), "right": ("b", "d", 3), "back": ("b", "a", 1)}


def network(*following: tuple[str, str]) -> Network:
    """A road with two lanes, and where it leads; what assumed trips look at."""
    edges = {
        i: Edge(i, begins, ends, tuple(Lane(f"{i}_{n}", 100.0, 13.9) for n in range(lanes)))
        for i, (begins, ends, lanes) in ROADS.items()
    }
    leads = {i: tuple(b for a, b in following if a == i) for i in edges}
    return cast("Network", SimpleNamespace(edges=edges, next_edges=leads.__getitem__))


def test_that_assumed_trips_go_where_there_are_lanes_and_none_is_lost() -> None:
    found = assumed_trips(network(("in", "left"), ("in", "right"), ("in", "back")))
    # 150 an hour over each of two lanes, 1 to 3 by the lanes of leaving; back is nowhere new.
    assert {pair: n for pair, n in found.items() if pair[0] == "in"} == {
        ("in", "left"): 75,
        ("in", "right"): 225,
    }


def test_that_a_district_without_ends_is_told() -> None:
    closed = {i: e for i, e in network().edges.items() if i in {"left", "right"}}
    leads = {"left": ("right",), "right": ("left",)}
    round_and_round = SimpleNamespace(edges=closed, next_edges=leads.__getitem__)
    with pytest.raises(SchemaError, match="routes"):
        assumed_trips(cast("Network", round_and_round))


def test_that_no_two_things_have_one_name() -> None:
    names = name_of(["0/0", "0-0", "K218"])
    assert len(set(names.values())) == 3
    assert all(name.isidentifier() for name in names.values())
    assert names["K218"] == "K218"
