"""How a signal decides what comes next. A rule is data: a plant can run it as a twin does.

All rules see the same: how far vehicles are and how fast they drive within reach of the detectors
before the stop lines, and how many are behind. Where a vehicle wants to go nobody knows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import msgspec

from gemeos.errors import InputError
from gemeos.twins.traffic.network import GREEN
from gemeos.twins.traffic.signals.approaches import Approach
from gemeos.twins.traffic.signals.light import Light

STEP_S: Final = 10.0
"""Between decisions of the rules that others have published: Ault & Sharon (2021)."""
HALTED_M_PER_S: Final = 0.1
BLOCKED_S: Final = 5.0
"""So long after green began the foremost should have gone."""
DRIVES_M_PER_S: Final = 2.0
"""Who is slower belongs to a queue."""
LARGEST_STRETCH: Final = 0.25
"""Share of a cycle by which a cabinet makes it longer at most."""
FIRST: Final = 10.0
"""How many times more those count who have stood too long."""


class Fixed(msgspec.Struct, frozen=True, tag="fixed"):
    """The signal's own programme runs."""

    program: str = ""
    """Empty for the one that ran before."""


class Timed(msgspec.Struct, frozen=True, tag="timed"):
    """A fixed cycle of one's own: greens of the signal's stages, with the limits' ways between."""

    order: tuple[int, ...]
    """Stages, by their numbers."""
    greens_s: tuple[int, ...]
    """How long each is shown."""
    offset_s: int = 0
    """When a cycle begins, with the first green: at this and all multiples of the cycle."""

    def __post_init__(self) -> None:
        if len(self.order) != len(self.greens_s) or len(self.order) < 2:
            raise InputError("A cycle has two stages or more, each with its green.")
        if any(g < 1 for g in self.greens_s):
            raise InputError("Every green of a cycle lasts a second or more.")


class Ordered(Timed, frozen=True, tag="ordered"):
    """A fixed cycle as a cabinet runs it that was told to.

    It begins when the cycle that runs is over. To come to its offset a cycle is made longer, never
    shorter, at its longest green, by a quarter at most: so it may take some cycles.
    """

    most_s: tuple[float, ...] = ()
    """By place in ``order``: the longest green that the cabinet gives."""
    longest_cycle_s: float = math.inf
    """The longest cycle that it runs."""

    def stretched(self, cycle: float, begins: float) -> tuple[int, float]:
        """Which green of the cycle that begins then is longer, by its place, and by how much.

        Args:
            cycle: How long it is otherwise, ways between stages included.
            begins: When its first green begins.
        """
        place = max(range(len(self.greens_s)), key=self.greens_s.__getitem__)
        room = self.most_s[place] - self.greens_s[place] if self.most_s else math.inf
        behind = (self.offset_s - begins) % cycle
        more = min(behind, room, self.longest_cycle_s - cycle, LARGEST_STRETCH * cycle)
        return place, max(more, 0.0)


class Wave(msgspec.Struct, frozen=True, tag="wave"):
    """Green for most vehicles: greedy."""

    every_s: float = STEP_S
    limited: bool = True
    """Within the signal's limits; otherwise with 3 s of yellow and nothing else, to be measured
    against, never to be used."""


class Pressure(msgspec.Struct, frozen=True, tag="pressure"):
    """Green for the largest difference of queues before and behind.

    References:
        Varaiya (2013), Transport. Res. C 36, 177-195.
    """

    every_s: float = STEP_S
    limited: bool = True
    """As in ``Wave``."""


class Service(msgspec.Struct, frozen=True, tag="service"):
    """Green for whom most can be done in the time that it takes.

    Each stage is worth what it lets through, by the second, in the best stretch of time that
    begins now, the way to it included; what is expected is worked out from where vehicles are and
    how fast. The stage that runs stays until another is worth more. The numbers were found by
    ``tune`` on demands of the districts in docs/validation/traffic-signals.md.

    References:
        Lammer & Helbing (2008), J. Stat. Mech. P04019, for the index; their stabilisation is left
        out, the limits stand for it.
    """

    headway_s: float = 1.35
    """Between two vehicles of a queue."""
    start_s: float = 0.65
    """Lost by the first of a queue."""
    permissive: float = 0.84
    """What green without priority lets through, as a share."""
    stay: float = 1.11
    """How many times the worth of the stage that runs counts."""
    horizon_s: float = 27.0
    """As far as is looked ahead."""
    waiting: float = 0.45
    """How much more one counts for each minute that it has stood."""
    blocked: float = 0.21
    """What a lane lets through whose foremost stands although it has green, as a share."""
    back: float = 4.5
    """Seconds that going back costs."""
    least: float = 0.45
    """Of the shortest time that another stage would last, the share that counts as taken."""
    soon_s: float = 1.3
    """Time by which the worth of the stage that runs is at least divided."""
    pace: float = 0.64
    """How fast those come who have been held up, as a share of what may be driven."""
    early_s: float = 4.7
    """A stage is gone to so long before its first vehicle would have to brake, and no sooner."""
    full: float = 0.8
    """Share of the room behind, taken up, from which letting more in there counts less."""
    patience_s: float = 120.0
    """Who has stood so long comes first."""

    def __post_init__(self) -> None:
        least_of = {"headway_s": 0.1, "permissive": 0.01, "blocked": 0.001, "soon_s": 0.1}
        for name, value in msgspec.structs.asdict(self).items():
            if not least_of.get(name, 0.0) <= value < 1e4:
                raise InputError(f"A signal's rule cannot have {name} {value:g}.")


Rule: TypeAlias = Fixed | Timed | Ordered | Wave | Pressure | Service


def rule_of(text: str) -> Rule:
    """The rule that ``written`` wrote.

    Raises:
        InputError: it is none.
    """
    try:
        rule: Rule = msgspec.json.decode(
            text, type=Fixed | Timed | Ordered | Wave | Pressure | Service
        )
    except msgspec.DecodeError as error:
        raise InputError(f"{text!r} is no rule of a signal: {error}.") from error
    return rule


def written(rule: Rule) -> str:
    """A rule as text: the value of a control ``signal.NAME.policy``."""
    return msgspec.json.encode(rule).decode()


@dataclass(slots=True)
class Queue:
    """What detectors see before one stop line, the nearest vehicle first."""

    distance_m: list[float] = field(default_factory=list)
    """To the stop line."""
    speed: list[float] = field(default_factory=list)
    share: list[float] = field(default_factory=list)
    """How likely it is that the vehicle comes to this stop line."""
    stood_s: list[float] = field(default_factory=list)
    """Since when it stands."""
    behind: list[float] = field(default_factory=list)
    """By link: how many stand where it leads."""
    fullest: float = 0.0
    """Where it leads: the largest share of room that is taken."""

    @property
    def count(self) -> float:
        """All that are seen."""
        return sum(self.share)

    @property
    def halted(self) -> float:
        """Those that stand."""
        return sum(s for v, s in zip(self.speed, self.share, strict=True) if v < HALTED_M_PER_S)


def greedy(
    rule: Wave | Pressure, states: Sequence[str], lanes: Sequence[Approach], queues: Sequence[Queue]
) -> int:
    """The stage that such a rule asks for: over all links that are green, the most."""
    best, most = 0, float("-inf")
    for place, state in enumerate(states):
        worth = 0.0
        for lane, queue in zip(lanes, queues, strict=True):
            for k, link in enumerate(lane.links):
                if state[link] in GREEN:
                    worth += (
                        queue.count if isinstance(rule, Wave) else queue.halted - queue.behind[k]
                    )
        if worth > most:
            best, most = place, worth
    return best


@dataclass(frozen=True, slots=True)
class Shares:
    """What greens let through, as a share of what a free lane would; by stage and lane."""

    usual: tuple[tuple[float, ...], ...]
    stuck: tuple[tuple[tuple[float, ...], ...], ...]
    """By the stage that runs, too: of lanes whose foremost stands although it has green. It does
    not want to go where it may go with priority."""


def shares(rule: Service, states: Sequence[str], lanes: Sequence[Approach]) -> Shares:
    """By the links over each lane, each as likely."""
    worth = {"G": 1.0, "g": rule.permissive}

    def share(lane: Approach, state: str, here: str) -> float:
        links = [k for k, on in zip(lane.links, lane.onward, strict=True) if on] or lane.links
        wanted = [k for k in links if here and here[k] != "G"] or links
        return sum(worth.get(state[k], 0.0) for k in wanted) / len(wanted)

    def row(state: str, here: str) -> tuple[float, ...]:
        return tuple(share(lane, state, here) for lane in lanes)

    return Shares(
        tuple(row(state, "") for state in states),
        tuple(tuple(row(state, here) for state in states) for here in states),
    )


def service(
    rule: Service,
    let_through: Shares,
    lanes: Sequence[Approach],
    queues: Sequence[Queue],
    light: Light,
    now: float,
) -> int:
    """The stage that is worth most.

    Args:
        rule: With its numbers.
        let_through: As ``shares`` gives it.
        lanes: Before the stop lines.
        queues: By lane.
        light: What is shown; it is in a stage.
        now: The time, in the light's seconds.
    """
    here = light.seen.stage
    usual, known = let_through.usual, let_through.stuck[here]
    is_late = now - light.seen.since > BLOCKED_S
    stuck = [
        is_late and rate > 0.0 and bool(q.speed) and q.speed[0] < HALTED_M_PER_S
        for rate, q in zip(usual[here], queues, strict=True)
    ]
    best, most, is_due = here, 0.0, False
    for stage in range(len(usual)):
        stays = stage == here
        begins = light.wait(stage, now)
        passes: list[tuple[float, float]] = []
        first = math.inf
        for k, queue in enumerate(queues):
            rate = known[stage][k] if stuck[k] else usual[stage][k]
            if stays and stuck[k]:
                rate *= rule.blocked
            if rate > 0.0 and queue.distance_m:
                if usual[here][k] <= 0.0 or stuck[k]:
                    first = min(first, _comes(rule, lanes[k], queue.distance_m[0], queue.speed[0]))
                _pass(rule, rate, lanes[k], queue, begins, passes, is_green=stays)
        passes.sort()
        least = rule.soon_s if stays else begins + rule.least * light.stages.least[stage]
        back = 0.0 if stays else rule.back
        total = worth = 0.0
        for at, value in passes:
            total += value
            worth = max(worth, total / (max(at, least) + back))
        if stays:
            worth *= rule.stay
        if passes and worth > most:
            best, most = stage, worth
            # Nobody gains by a green that comes before he does; until then it may serve others.
            is_due = stays or first <= begins + rule.early_s
    return best if is_due else here


def _comes(rule: Service, lane: Approach, distance: float, speed: float) -> float:
    """When a vehicle would reach the stop line, seconds from now."""
    # One of a queue sets off when those before it have; one that drives comes as it can.
    if speed <= DRIVES_M_PER_S:
        return 0.0
    return distance / max(speed, rule.pace * lane.speed_m_per_s)


def _pass(
    rule: Service,
    rate: float,
    lane: Approach,
    queue: Queue,
    begins: float,
    into: list[tuple[float, float]],
    *,
    is_green: bool,
) -> None:
    """When those before one stop line would pass it, and what each is worth."""
    headway = rule.headway_s / rate
    free = begins if is_green else begins + rule.start_s - headway
    end = begins + rule.horizon_s
    room = min(1.0, (1.0 - queue.fullest) / (1.0 - rule.full + 1e-9))
    for distance, speed, share, stood in zip(
        queue.distance_m, queue.speed, queue.share, queue.stood_s, strict=True
    ):
        free = max(free + headway * share, _comes(rule, lane, distance, speed))
        if free > end:
            break
        value = share * (1.0 + rule.waiting * stood / 60.0)
        into.append((free, room * value * (FIRST if stood > rule.patience_s else 1.0)))
