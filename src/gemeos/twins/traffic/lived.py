"""Plans that a twin in a site finds, held to what comes of them where nobody knows the traffic.

A plant lives a district with drivers, ways and demand of its own. A site hears its loops, its twin
searches for a plan and foresees what it does; then the plant lives the next minutes twice, with the
plan and without (``gemeos_plants.traffic.twice``). Cabinets of the plant take the orders, and what
their lights show is looked at by the plant's own watch, and by ``checker``.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from os import getpid
from pathlib import Path
from typing import Any, Final

import numpy as np
from jaxtyping import Float64

from gemeos.errors import LinkError
from gemeos.runtime.links import FileLink
from gemeos.runtime.optimisation import OptimisationRecord
from gemeos.runtime.run import RunningSite, run
from gemeos.runtime.site import Replay, Site
from gemeos.runtime.twin import Twin
from gemeos.schema.binding import ChannelForm
from gemeos.twins.traffic.decisions import Cabinets, Place
from gemeos.twins.traffic.district import COUNT, SPEED, District, read_district
from gemeos.twins.traffic.physics import Described, described
from gemeos.twins.traffic.signals.checker import violations
from gemeos.twins.traffic.signals.junction import Controlled, controlled
from gemeos.twins.traffic.signals.pedestrians import Delay, delay, together
from gemeos.twins.traffic.twin import tied
from gemeos.units import iso
from gemeos.units.instant import SECOND, Instant

LINK: Final = "plant"
TWIN: Final = "city"
START: Final[Instant] = 1_772_434_800 * SECOND
"""2026-03-02T07:00Z, when the plant's traffic begins."""
SHARES: Final = (0.6, 1.0, 1.5)
"""Of a stage's green: what a search may choose of."""
MOST_STAGES: Final = 2
"""That a search may set: of three lengths each, nine plans. More want more time."""
LEVEL: Final = 0.9
PATIENCE_S: Final = 600.0


@dataclass(frozen=True, slots=True)
class Course:
    """How plans are tried."""

    minutes: int = 20
    """Of traffic that the twin has heard before the first search."""
    between: int = 10
    """Minutes that are lived, and heard, between two searches."""
    ahead: int = 10
    """Minutes that a plan is judged over."""
    origins: int = 3
    members: int = 32
    budget: str = "45 s"


@dataclass(frozen=True, slots=True, eq=False)
class Tried:
    """One plan, foreseen and lived."""

    found: OptimisationRecord
    foreseen: Float64[np.ndarray, " member"]
    """By how much less is lost with the plan, in vehicle seconds; by member."""
    delivered: float
    """The same at the plant."""
    lost: float
    """At the plant without the plan."""
    counts: Float64[np.ndarray, "loop member"]
    """Over all of the stretch, with the plan."""
    came: Float64[np.ndarray, " loop"]
    refused: tuple[str, ...]
    breaches: Mapping[str, int]
    """Counted by the plant, in the copy that had the plan."""
    violations: int
    """Found by ``checker`` in what its lights showed."""
    walking: Delay | None
    """What those who walk waited with the plan; None where nobody can."""
    walking_usual: Delay | None
    """The same without it."""
    longest_s: float
    """That one vehicle stood, or waited to come in, in all of the stretch with the plan."""
    longest_usual_s: float
    """The same without it."""

    @property
    def holds(self) -> bool:
        """Whether what was delivered lies within what was foreseen."""
        low, high = np.quantile(self.foreseen, [0.5 - LEVEL / 2, 0.5 + LEVEL / 2])
        return bool(low <= self.delivered <= high)

    @property
    def counts_hold(self) -> Float64[np.ndarray, " loop"]:
        """1 for each loop whose count lies within what was foreseen."""
        ends = [0.5 - LEVEL / 2, 0.5 + LEVEL / 2]
        low, high = np.quantile(self.counts, ends, axis=1)
        return ((low <= self.came) & (self.came <= high)).astype(np.float64)


class Plant:
    """``gemeos_plants.traffic.twice`` of one district."""

    def __init__(self, process: subprocess.Popen[str], log: Path) -> None:
        self._process, self._log = process, log

    def live(self, minutes: int) -> dict[str, Any]:
        """Go on."""
        return self._asked({"live": 60 * minutes})

    def twice(self, minutes: int, orders: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Go on, and in a copy with the orders."""
        return self._asked({"twice": 60 * minutes, "orders": orders})

    def _asked(self, what: Mapping[str, Any]) -> dict[str, Any]:
        asks, answers = self._process.stdin, self._process.stdout
        if asks is None or answers is None:
            raise LinkError("The plant has no ears.")
        try:
            asks.write(json.dumps(what) + "\n")
            asks.flush()
            line = answers.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise LinkError(f"The plant ended; see {self._log}.")
        told: dict[str, Any] = json.loads(line)
        return told


@contextmanager
def plant(folder: Path, desk: Path, seed: int | None = None) -> Iterator[Plant]:
    """A plant of the district in ``folder``; with a seed the same one again."""
    log = desk / "plant.log"
    more = [] if seed is None else ["--seed", str(seed)]
    with log.open("w") as said:
        process = subprocess.Popen(  # noqa: S603 -- our own interpreter and module
            [
                *(sys.executable, "-m", "gemeos_plants.traffic.twice"),
                *("--district", str(folder), "--parent", str(getpid()), *more),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=said,
            text=True,
        )
        try:
            yield Plant(process, log)
        finally:
            process.kill()
            process.communicate()


@dataclass
class Heard:
    """What loops told, by minute."""

    counts: dict[str, list[int]] = field(default_factory=dict)
    speeds: dict[str, list[float]] = field(default_factory=dict)
    """-1 where nobody passed."""

    def take(
        self, counts: Mapping[str, Sequence[int]], speeds: Mapping[str, Sequence[float]]
    ) -> None:
        """More of it."""
        for loop, more in counts.items():
            self.counts.setdefault(loop, []).extend(more)
        for loop, faster in speeds.items():
            self.speeds.setdefault(loop, []).extend(faster)

    @property
    def minutes(self) -> int:
        """So long."""
        return min(map(len, self.counts.values()), default=0)

    @property
    def readings(self) -> int:
        """So many: where nobody passed there is no speed."""
        passed = sum(speed >= 0 for loop in self.speeds.values() for speed in loop)
        return self.minutes * len(self.counts) + passed

    def write(self, path: Path, channels: Mapping[str, ChannelForm]) -> None:
        """As a table that a link reads, its columns named as the district's channels."""
        loops = list(self.counts)
        names = [channels[q].of(loop) for q in (COUNT, SPEED) for loop in loops]
        rows = [",".join(["time", *names])]
        for minute in range(self.minutes):
            at = iso(START + (minute + 1) * 60 * SECOND)
            driven = [self.speeds[loop][minute] for loop in loops]
            row = [str(self.counts[loop][minute]) for loop in loops]
            row += ["" if speed < 0 else f"{speed:.4f}" for speed in driven]
            rows.append(",".join([at, *row]))
        path.write_text("\n".join(rows) + "\n", encoding="utf-8")


def trials(
    folder: Path,
    course: Course,
    *,
    seed: int | None = None,
    tell: Callable[[], None] = lambda: None,
) -> Iterator[Tried]:
    """One reality of a district, and the plans that its twin finds for it.

    Args:
        folder: Of its ``district.toml``.
        course: How.
        seed: Of the reality; nobody's where left out.
        tell: Called after each plan.

    Raises:
        LinkError: the plant ended.
        EngineError: SUMO cannot run it.
    """
    known = read_district(folder)
    made = described(known, begins=iso(START))
    heard = Heard()
    with tempfile.TemporaryDirectory() as name, plant(folder, Path(name), seed) as real:
        told = real.live(course.minutes)
        heard.take(told["counts"], told["speeds"])
        for origin in range(course.origins):
            if origin:
                told = real.live(course.between)
                heard.take(told["counts"], told["speeds"])
            with _site(made, heard, course, Path(name)) as site:
                tried = _tried(site, made, known, heard, real, course)
            yield tried
            tell()


@contextmanager
def _site(made: Described, heard: Heard, course: Course, desk: Path) -> Iterator[RunningSite]:
    """A site that has heard all of it."""
    table = desk / "heard.csv"
    heard.write(table, made.district.channels)
    link = FileLink(name=LINK, path=str(table), time="time", channel="{tag}", interval="1 min")
    twin = Twin(TWIN, made.model, members=course.members, horizon="1 h", leads=())
    clock = Replay(START, 1.0, "simulated plant")
    site = Site(
        "signals", twins=(tied(twin, made, link=LINK, actuator=None),), links=(link,), clock=clock
    )
    with run(site) as running:
        # The file ends first; then what was stored of it is taken in.
        if not (running.wait(PATIENCE_S) and running.caught_up(PATIENCE_S)):
            raise LinkError("The twin has not taken in what was heard.")
        if running[TWIN].trust().assimilated < heard.readings:
            raise LinkError("The twin has passed over some of what was heard.")
        yield running


def _tried(
    site: RunningSite,
    made: Described,
    known: District,
    heard: Heard,
    real: Plant,
    course: Course,
) -> Tried:
    twin = site[TWIN]
    ahead = f"{course.ahead} min"
    found = twin.optimise(
        "plan",
        over=_choices(made.cabinets.places),
        until=ahead,
        every="1 min",
        minimise="mean(lost)",
        budget=course.budget,
    )
    plan = {name: str(value) for name, value in (found.winner or {}).items()}
    foreseen = twin.scenario("planned", plan, until=ahead, every="1 min")
    difference = twin.compare("planned", on="lost").difference.members
    lived = real.twice(course.ahead, orders(made.cabinets, plan))
    planned, usual = lived["with"], lived["without"]
    loops = list(made.counts)
    counts = np.array([foreseen[made.counts[i]].members.sum(axis=0) for i in loops])
    heard.take(usual["counts"], usual["speeds"])
    junctions = controlled(known.network, known.limits)
    wrong = sum(
        len(violations(junctions[i].limits, log, planned["until_s"]))
        for i, log in planned["shown"].items()
        if i in junctions
    )
    return Tried(
        found,
        -np.asarray(difference, np.float64).sum(axis=0),
        sum(usual["lost_s"]) - sum(planned["lost_s"]),
        sum(usual["lost_s"]),
        counts,
        np.array([sum(planned["counts"][i]) for i in loops], np.float64),
        tuple(planned["refused"]),
        planned["breaches"],
        wrong,
        _walked(junctions, planned),
        _walked(junctions, usual),
        planned["longest_s"],
        usual["longest_s"],
    )


def _walked(junctions: Mapping[str, Controlled], lived: Mapping[str, Any]) -> Delay | None:
    """What those who walk waited, by what the lights showed."""
    each = (
        delay(junctions[i].limits, log, lived["until_s"])
        for i, log in lived["shown"].items()
        if i in junctions
    )
    return together([one for one in each if one is not None])


def _choices(places: Sequence[Place]) -> dict[str, str]:
    """Greens of the stages that have most room, each of a short list."""
    stages = [p for p in places if p.phase is not None]
    stages.sort(key=lambda p: p.least - p.most)
    chosen = {}
    for place in stages[:MOST_STAGES]:
        least, most = math.ceil(place.least), math.floor(place.most)
        values = {min(max(round(s * place.default), least), most) for s in SHARES}
        chosen[place.control] = ", ".join(f"{v} s" for v in sorted(values))
    return {name: told for name, told in chosen.items() if "," in told}


def orders(cabinets: Cabinets, plan: Mapping[str, str]) -> list[dict[str, Any]]:
    """What the plant's cabinets are told of a plan, as ``gemeos_plants.traffic.twice`` takes it.

    Args:
        cabinets: All places.
        plan: By control, as in ``20 s``.
    """
    told: dict[str, dict[str, Any]] = {}
    for place in cabinets.places:
        if place.control not in plan:
            continue
        seconds = float(plan[place.control].removesuffix(" s"))
        program = cabinets.junctions[place.signal].program
        order = told.setdefault(
            place.signal,
            {"signal": place.signal, "durations": [p.duration_s for p in program.phases]},
        )
        if place.phase is None:
            order["offset_s"] = seconds
        else:
            order["durations"][place.phase] = seconds
    return list(told.values())
