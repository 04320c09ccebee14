"""How long pedestrians wait, worked out from what the lights showed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gemeos.twins.traffic.network import Program
from gemeos.twins.traffic.signals.limits import Limits, Log, reds_of_walk, runs

Interval = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Delay:
    """Of those who come evenly in time, at each crossing as many."""

    mean_s: float
    longest_s: float
    """Of the one who comes as a red begins."""
    crossings: int


def delay(limits: Limits, log: Log, end_s: float) -> Delay | None:
    """What pedestrians wait at one signal; None where nobody can cross.

    One who comes within a red waits for its end, so those of a red of length r, coming evenly,
    wait r^2 / 2 together. Over equal cycles of length C with green g this is the formula of the
    Highway Capacity Manual for signalised crossings, d = (C - g)^2 / (2 C).

    Where crossings have no lights of their own, who comes may set off while cars may not pass for
    as long as walking takes: so late in that time that it would be too short, he waits.

    References:
        Transportation Research Board (2016), Highway Capacity Manual, 6th edition, chapter 19:
        pedestrian delay at signalised crosswalks.
    """
    reds = [list(_reds_of_link(log, end_s, i)) for i in sorted(limits.pedestrians)]
    reds += [list(reds_of_walk(w, log, end_s)) for w in limits.walks]
    if not reds:
        return None
    whole = end_s - log[0][0]
    means = [sum((b - a) ** 2 for a, b in of) / (2.0 * whole) for of in reds]
    longest = max((b - a for of in reds for a, b in of), default=0.0)
    return Delay(sum(means) / len(means), longest, len(reds))


def of_cycle(limits: Limits, program: Program) -> Delay | None:
    """What they wait while a programme runs on and on; None where nobody can cross."""
    few, more = (delay(limits, _log(program, n), n * program.cycle_s) for n in (2, 3))
    if few is None or more is None:
        return None
    # Reds that the ends of the log cut are the same in both: what one cycle adds is whole.
    return Delay(3.0 * more.mean_s - 2.0 * few.mean_s, more.longest_s, more.crossings)


def _log(program: Program, cycles: int) -> Log:
    log, at = [], 0.0
    for phase in program.phases * cycles:
        log.append((at, phase.state))
        at += phase.duration_s
    return log


def together(delays: Sequence[Delay]) -> Delay | None:
    """Over several signals, each crossing counting alike."""
    count = sum(d.crossings for d in delays)
    if not count:
        return None
    mean = sum(d.mean_s * d.crossings for d in delays) / count
    return Delay(mean, max(d.longest_s for d in delays), count)


def _reds_of_link(log: Log, end_s: float, link: int) -> Iterator[Interval]:
    """From the end of each green to the start of the next."""
    since = log[0][0]
    for kind, start, stop in runs(log, end_s, link):
        if kind == "green":
            if start > since:
                yield since, start
            since = stop
    if end_s > since:
        yield since, end_s
