"""A small served site that readings can be sent to: for tests over HTTP."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np

from gemeos.runtime.links import HttpLink
from gemeos.runtime.site import Site
from gemeos.runtime.twin import Twin
from gemeos.schema.part import Part, Related, Relation
from gemeos.schema.prior import Normal
from gemeos.schema.schema import Schema
from gemeos.schema.variable import Sensor, State
from gemeos.serve.auth import TokenFile
from gemeos.serve.limits import Limits
from gemeos.simulate.base import Consts, Driven, Members
from gemeos.testing.served import Serving, served
from gemeos.units import iso
from gemeos.units.instant import SECOND


class Tanks:
    """Two tanks whose levels wander; the one feeds the other. A gauge reads each."""

    schema = Schema(
        "tanks",
        SECOND,
        (
            State("upper.level", "m", Normal(2.0, 0.5), noise=0.01),
            State("lower.level", "m", Normal(2.0, 0.5), noise=0.01),
            Sensor("upper.gauge", "m", noise=0.05),
            Sensor("lower.gauge", "m", noise=0.05),
        ),
        parts=(
            Part("upper", "tank", {"height_m": 4.0}),
            Part("lower", "tank", {"height_m": 0.0}),
            Part("pump", "machine"),
        ),
        related=(
            Related("upper", Relation.FEEDS, "lower"),
            Related("pump", Relation.ON, "lower"),
            Related("pump", Relation.NEAR, "upper"),
        ),
    )
    identity = "tanks-of-a-test"

    def step(self, values: Members, driven: Driven, consts: Consts) -> Members:  # noqa: ARG002
        """Nothing moves them."""
        return values

    def observe(self, values: Members, driven: Driven, consts: Consts) -> Members:  # noqa: ARG002
        """The gauges read the levels."""
        return np.array(values)


def tank_site(store: Path | None = None) -> Site:
    """Two twins fed by two links, one in feet."""
    north = Twin("north", Tanks(), members=32, remember="1 min")
    north.bind("inbox:n/upper", to="upper.gauge").bind("inbox:n/lower", to="lower.gauge")
    south = Twin("south", Tanks(), members=32, remember="1 min")
    south.bind("other:s/upper", to="upper.gauge", unit="ft")
    links = (HttpLink(name="inbox"), HttpLink(name="other"))
    return Site("tanks", twins=(north, south), links=links, store=store, zone="Europe/Paris")


@contextmanager
def tanks(
    *,
    tokens: TokenFile | None = None,
    hosts: tuple[str, ...] = (),
    loopback_without_token: bool = True,
    limits: Limits | None = None,
    store: Path | None = None,
) -> Iterator[tuple[Serving, httpx.Client]]:
    """The site, served, and a client of it; both links are open."""
    with (
        served(
            tank_site(store),
            tokens=tokens,
            hosts=hosts,
            loopback_without_token=loopback_without_token,
            limits=limits,
        ) as serving,
        httpx.Client(base_url=serving.url, trust_env=False, timeout=20) as client,
    ):
        while serving.host.link("inbox") is None or serving.host.link("other") is None:
            time.sleep(0.01)
        yield serving, client


def ago(serving: Serving, seconds: float) -> str:
    """That long before site time."""
    return iso(serving.host.clock.now() - round(seconds * SECOND))
