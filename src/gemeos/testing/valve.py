"""A tank with a valve that plans set: a small twin in step, for tests of acting."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import numpy as np

from gemeos.act.undertaking import Undertaking
from gemeos.runtime.actuation import ActuatorLink
from gemeos.runtime.host import Host
from gemeos.runtime.links import HttpLink
from gemeos.runtime.run import RunningSite, run
from gemeos.runtime.site import Site
from gemeos.runtime.twin import Twin
from gemeos.schema.plan import Plan
from gemeos.schema.prior import Normal
from gemeos.schema.reading import Reading, Readings, Series
from gemeos.schema.schema import Schema
from gemeos.schema.variable import Control, Sensor, State
from gemeos.simulate.base import Consts, Driven, Members
from gemeos.testing.device import Device, DeviceLink
from gemeos.units.instant import SECOND, Instant

STEP: Instant = SECOND // 10
PLACE = "tank/valve"
PATIENCE_S = 20.0


class Hosted(Protocol):
    """A site that runs here."""

    @property
    def host(self) -> Host:
        """The site."""
        ...


class Tank:
    """Its level wanders; the valve is where it is set."""

    schema = Schema(
        "tank",
        STEP,
        (
            State("level", "m", Normal(2.0, 0.5), noise=0.05),
            Control("valve", "m^3/s", (0.0, 2.0), default=1.0),
            Sensor("gauge", "m", noise=0.05),
        ),
    )
    identity = "tank-of-a-test"

    def step(self, values: Members, driven: Driven, consts: Consts) -> Members:  # noqa: ARG002
        """Nothing moves it."""
        return values

    def observe(self, values: Members, driven: Driven, consts: Consts) -> Members:  # noqa: ARG002
        """The gauge reads the level."""
        return np.array(values)


def bare_twin(name: str) -> Twin:
    """The tank, nothing bound."""
    return Twin(name, Tank(), members=16, horizon="60 s", lateness="2 s")


def valve_twin(name: str = "tank", *, watch: str = "30 min", **conduct: str) -> Twin:
    """The twin, its valve set by ``plc:tank/valve``."""
    twin = bare_twin(name).bind(f"inbox:{name}", to="gauge")
    twin.actuate(f"plc:{PLACE}", to="valve", tolerance="0.01 m^3/s")
    told = {"settle": "1 s", "answer_within": "200 ms", **conduct}
    return twin.conducted(watch=watch, **told)  # type: ignore[arg-type]  # texts, by keyword


def valve_site(
    twin: Twin, link: ActuatorLink, *, store: Path | None = None, name: str = "valves"
) -> Site:
    """The twin alone."""
    links = (HttpLink(name="inbox"),)
    return Site(name, twins=(twin,), links=links, actuators=(link,), store=store)


def feed(running: Hosted, twin: str = "tank", *, level: float = 2.0, count: int = 1) -> None:
    """Readings up to now, every tenth of a second."""
    host = running.host
    newest = host.clock.now() // STEP * STEP
    rows = [
        Reading(Series("inbox", twin), newest - back * STEP, level)
        for back in reversed(range(count))
    ]
    readings = Readings.of(rows, host.timeline.book)

    def taken() -> None:
        commit = host.timeline.append(readings, known_at=host.clock.now())
        host._assimilate(readings, commit)  # noqa: SLF001 -- as a link's task does

    host.compute.path(taken).result(PATIENCE_S)


@contextmanager
def acting(
    device: Device, *, twin: Twin | None = None, store: Path | None = None
) -> Iterator[RunningSite]:
    """The site with its device, running, the twin in step."""
    declared = twin or valve_twin()
    with run(valve_site(declared, DeviceLink("plc", device), store=store)) as running:
        until(lambda: device.cut is not None)
        feed(running, declared.name, count=60)
        yield running


def made(running: Hosted, value: str = "1.5 m^3/s", *, name: str = "open", **more: object) -> Plan:
    """A plan for the valve that rests on this moment."""
    now = running.host.clock.now()
    plan = Plan(
        twin="tank",
        name=name,
        changes={"valve": value},
        made_at=now - SECOND,
        actor="kim",
        cause="made by hand",
        expires_at=now + 60 * SECOND,
        state_at=now - SECOND,
    )
    return replace(plan, **more)  # type: ignore[arg-type]  # fields of a plan, by name


def until(so: Callable[[], object], patience_s: float = PATIENCE_S) -> None:
    """Wait for it.

    Raises:
        TimeoutError: it does not come.
    """
    ends = time.monotonic() + patience_s
    while not so():
        if time.monotonic() > ends:
            raise TimeoutError("It did not come.")
        time.sleep(0.01)


def over(running: Hosted, plan: Plan) -> Undertaking:
    """How it ended, readings coming all the while."""
    ends = time.monotonic() + PATIENCE_S
    while time.monotonic() < ends:
        found = running.host.applying.undertakings.of(plan.id)
        if found is not None and found.stage.is_over:
            return found
        feed(running, plan.twin)
        time.sleep(0.05)
    raise TimeoutError(f"{plan.name} did not end.")
