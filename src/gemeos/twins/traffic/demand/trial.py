"""A day followed and foreseen, and held to what really came.

The day before is known from its beginning to its end; of today the twin is told each window when
it is over, of the loops that feed it alone. Everything that is learned is learned on the way.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
from jaxtyping import Bool, Float64

from gemeos.engines.pool import EnginePool, begun, seeds
from gemeos.engines.sumo import Sumo, opened
from gemeos.ensemble.noise import stream_key
from gemeos.errors import EngineError, InputError
from gemeos.twins.traffic.demand import marks
from gemeos.twins.traffic.demand.ahead import LEAST, Course, Record, counts_of, foreseen, paths_of
from gemeos.twins.traffic.demand.assumed import believed
from gemeos.twins.traffic.demand.follow import Follower
from gemeos.twins.traffic.demand.guess import scaled
from gemeos.twins.traffic.demand.recorded import Recorded, expected_by
from gemeos.twins.traffic.demand.seen import (
    Loop,
    lanes_of,
    passing_in,
    reach_of,
    readings,
    window_of,
)
from gemeos.twins.traffic.demand.unknowns import Doubt, Unknowns, unknowns_of
from gemeos.twins.traffic.demand.ways import Way, flows_of, write_ways
from gemeos.twins.traffic.district import District
from gemeos.units.instant import SECOND, Instant

T0: Final[Instant] = 0
QUARTER: Final = 15
"""Minutes over which counts are compared."""
SHARE: Final = 0.9
VEHICLES: Final = 60_000.0
"""An hour, in all members together, that two processors keep up with many times over."""
FEWEST: Final = 16
MOST: Final = 32
TODAY: Final = Doubt(whole=0.2, end=0.2, pair=0.2, way=0.25)
"""How far one day may be from the days before; less than these are from what files say."""


@dataclass(frozen=True, slots=True, eq=False)
class Day:
    """What the loops told, minute by minute."""

    counts: Float64[np.ndarray, "minute loop"]
    speeds: Float64[np.ndarray, "minute loop"]
    """Metres per second; -1 where nobody came."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How a trial is done. Times in minutes and strides."""

    members: int | None = None
    """None for as many as the district's size lets run in time."""
    forecasters: int | None = None
    """Members that are forked for a forecast; None for half of them."""
    stride: int = 5
    warm: int = 6
    """Strides before anything is scored: the road fills, and the day begins to be known."""
    spin: int = 6
    """Strides that members run with what is expected before today begins: its roads are full then.
    Fewer where the district has not begun so long before."""
    issued: int = 1
    """Strides between two forecasts."""
    leads: tuple[int, ...] = (1, 2, 3, 4, 6)
    """In strides."""
    workers: int = 2
    seed: int = 1
    doubt: Doubt = TODAY


USUAL_PLAN: Final = Plan()


@dataclass
class Results:
    """Of one district."""

    name: str
    fed: Bool[np.ndarray, " loop"]
    leads: tuple[int, ...]
    told: list[Float64[np.ndarray, " loop"]] = field(default_factory=list)
    """Mean counts of the twin, stride by stride."""
    came: list[Float64[np.ndarray, " loop"]] = field(default_factory=list)
    scores: dict[tuple[str, int], list[Float64[np.ndarray, " loop"]]] = field(default_factory=dict)
    """CRPS by forecaster and lead, issue by issue, of fed loops."""
    held: dict[tuple[str, int], list[Bool[np.ndarray, " loop"]]] = field(default_factory=dict)
    misfit: list[tuple[float, ...]] = field(default_factory=list)
    members: int = 0
    failed: int = 0
    values: dict[str, float] = field(default_factory=dict)
    """Of the unknowns at the end: means of their logarithms."""
    rates: Mapping[str, float] = field(default_factory=dict)
    """At the end: vehicles per hour that come in on each edge, mean over members."""


@dataclass(frozen=True, slots=True, eq=False)
class _Issued:
    """A forecast that waits for its truth."""

    stride: int
    means: Mapping[int, Float64[np.ndarray, "loop member"]]
    draws: Mapping[tuple[str, int], Float64[np.ndarray, "loop draw"]]


def trial(
    district: District,
    yesterday: Day,
    today: Day,
    plan: Plan = USUAL_PLAN,
    *,
    begin_minute: int = 0,
    tell: Callable[[int, int], None] = lambda _done, _total: None,
) -> Results:
    """Walk the twin of that district through a day.

    Args:
        district: Whose.
        yesterday: Known from the first moment, of loops that feed the twin.
        today: As long as yesterday, or shorter.
        plan: How.
        begin_minute: Of the district's time, when today begins: signals stand by it.
        tell: Called with the strides done and those there are.

    Raises:
        EngineError: SUMO cannot run it.
        TooFewMembersError: fewer than half of the members could be run.
    """
    loops = tuple(Loop(d.id, d.lane) for d in district.detectors.values())
    fed = ~marks.withheld(len(loops))
    if len(today.counts) > len(yesterday.counts):
        raise InputError("Yesterday was shorter than today.")
    ways, doubt = believed(district)
    over = passing_in(district.network, ways, loops)
    expected = _expected(district, ways, loops, fed, over, yesterday, doubt)
    unknowns = replace(unknowns_of(ways, plan.doubt), expected=expected)
    follower = Follower(
        unknowns,
        loops,
        fed,
        reach_of(unknowns, over),
        plan.stride * 60 * SECOND,
        district.name,
        plan.seed,
    )
    window = window_of(loops, plan.stride, fed)
    members = plan.members or members_for(float(unknowns.expected.sum()))
    follower.begin(members)
    with tempfile.TemporaryDirectory() as name:
        settings = settings_of(district, unknowns, Path(name))
        spin = min(plan.spin, begin_minute // plan.stride)
        began = district.begin_s + 60.0 * (begin_minute - spin * plan.stride)
        engine = opened(msgspec.structs.replace(settings, begin_s=began))
        with (
            engine,
            EnginePool(
                begun(engine.another, {}, seeds(plan.seed, district.name, members), T0),
                window,
                unknowns.inputs,
                name=district.name,
                workers=plan.workers,
            ) as pool,
        ):
            for _ in range(spin):
                follower.params = follower.params[:, pool.advance(follower.params)]
            walk = _Walk(district.name, follower, pool, yesterday, today, plan)
            return walk.through(tell)


def members_for(hourly: float) -> int:
    """As many as are worth their time where so many vehicles come in an hour."""
    return min(max(round(VEHICLES / max(hourly, 1.0)), FEWEST), MOST)


def settings_of(district: District, unknowns: Unknowns, folder: Path) -> Sumo:
    """What SUMO runs, with files in ``folder``: the district's roads, signals, loops and ways."""
    ways = folder / "ways.add.xml"
    write_ways(unknowns.ways, ways)
    loops = district.write_detectors(folder / "loops.add.xml", period_s=60.0)
    return Sumo(
        net=str(district.net),
        additional=(*map(str, district.additional), str(loops), str(ways)),
        begin_s=district.begin_s,
        step=round(district.step_s * SECOND),
        flows=flows_of(unknowns.ways),
        gaps="shifted",
        depart_speed="max",
    )


def _expected(
    district: District,
    ways: Sequence[Way],
    loops: Sequence[Loop],
    fed: Bool[np.ndarray, " loop"],
    over: Float64[np.ndarray, "loop way"],
    day: Day,
    doubt: Doubt,
) -> Float64[np.ndarray, " way"]:
    """As ``expected_by``; on a machine too busy for routeSampler without it."""
    hourly = np.where(fed, day.counts.mean(axis=0) * 60.0, np.nan)
    recorded = Recorded(hourly, len(day.counts) / 60.0)
    lanes = lanes_of(district.network)
    try:
        return expected_by(ways, loops, over, lanes, recorded, doubt)
    except EngineError:
        return expected_by(ways, loops, over, lanes, recorded, doubt, first=scaled)


class _Walk:
    """Through today, stride by stride."""

    def __init__(
        self,
        name: str,
        follower: Follower,
        pool: EnginePool,
        yesterday: Day,
        today: Day,
        plan: Plan,
    ) -> None:
        self._follower, self._pool, self._plan = follower, pool, plan
        self._window = window_of(follower.loops, plan.stride, follower.fed)
        self._fed = follower.fed
        self._today = today
        self._before = marks.stepwise(yesterday.counts, plan.stride)
        self._now = marks.stepwise(today.counts, plan.stride)
        self._course = Course.of(self._before[:, self._fed])
        self._record = Record(int(self._fed.sum()), len(plan.leads))
        self._last = {lead: marks.Errors() for lead in plan.leads}
        self._mean = {lead: marks.Errors() for lead in plan.leads}
        self._other = marks.Errors()
        self._waiting: list[_Issued] = []
        self._rng = np.random.default_rng(stream_key(name, str(plan.seed)))
        self.results = Results(name, follower.fed, plan.leads, members=len(pool))
        self._teach_from_yesterday()

    def through(self, tell: Callable[[int, int], None]) -> Results:
        """Every stride of today."""
        total = len(self._now)
        for stride in range(total):
            self._follow(stride)
            self._judge(stride)
            rest = total - 1 - stride
            due = (stride + 1 - self._plan.warm) % self._plan.issued == 0
            if stride + 1 >= self._plan.warm and due and rest >= self._plan.leads[0]:
                self._issue(stride, min(rest, self._plan.leads[-1]))
            tell(stride + 1, total)
        means = self._follower.params.mean(axis=1)
        self.results.rates = self._follower.coming_in()
        self.results.values = dict(zip(self._follower.unknowns.names, means.tolist(), strict=True))
        return self.results

    def _teach_from_yesterday(self) -> None:
        """What the last counts say of those that follow; the others had no day before."""
        counts = self._before[:, self._fed]
        for lead in self._plan.leads:
            for at in range(2, len(counts) - lead):
                self._last[lead].add(counts[at], counts[at + lead])
                self._mean[lead].add(counts[at - 2 : at + 1].mean(axis=0), counts[at + lead])

    def _follow(self, stride: int) -> None:
        step = slice(stride * self._plan.stride, (stride + 1) * self._plan.stride)
        read = readings(self._today.counts[step], self._today.speeds[step], self._fed)
        followed = self._follower.take(read, self._pool)
        told = np.nanmean(followed.rolled, axis=1)[:-1]
        results = self.results
        results.told.append(told)
        results.came.append(self._now[stride])
        results.misfit.append(followed.smoothed.misfit)
        results.failed += sum(followed.smoothed.failed)
        self._record.saw(self._now[stride][self._fed], told[self._fed])
        self._other.add(self._before[stride][self._fed], self._now[stride][self._fed])

    def _judge(self, stride: int) -> None:
        """Forecasts whose truth has come."""
        came = self._now[stride][self._fed]
        for issued in self._waiting:
            lead = stride - issued.stride
            if lead not in self._plan.leads or lead not in issued.means:
                continue
            self._record.came(self._plan.leads.index(lead), issued.means[lead], came)
            for (who, at), draws in issued.draws.items():
                if at == lead:
                    key = (who, lead)
                    scored = marks.scores(draws, came)
                    self.results.scores.setdefault(key, []).append(scored)
                    inside = marks.held(draws, came, SHARE, self._rng)
                    self.results.held.setdefault(key, []).append(inside)

    def _issue(self, stride: int, pieces: int) -> None:
        fed, plan = self._fed, self._plan
        self._course.learn(self._now[: stride + 1][:, fed])
        course = self._course.ahead(stride, pieces)
        follower = self._follower
        paths = paths_of(follower, pieces, course, follower.draws(follower.windows))
        told = foreseen(
            self._pool,
            paths,
            follower.unknowns,
            self._window,
            members=plan.forecasters or max(len(self._pool) // 2, LEAST),
            name=self.results.name,
            workers=plan.workers,
        )
        means, draws = {}, {}
        recent = self._now[max(0, stride - 2) : stride + 1][:, fed].mean(axis=0)
        for place, lead in enumerate(plan.leads):
            if lead > pieces:
                continue
            mean = told[lead - 1, :-1][fed] * self._record.factor[:, None]
            means[lead] = mean
            draws["twin", lead] = counts_of(mean, self._record.scatter(place), self._rng)
            draws["last", lead] = self._last[lead].about(self._now[stride][fed])
            draws["mean", lead] = self._mean[lead].about(recent)
            draws["yesterday", lead] = self._other.about(self._before[stride + lead][fed])
        self._waiting.append(_Issued(stride, means, draws))
