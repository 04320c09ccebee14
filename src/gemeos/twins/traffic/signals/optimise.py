"""Better signals, sought on forks of the present or on whole runs, and proven on others."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import numpy as np

from gemeos.engines.hosted import HostedEngine
from gemeos.engines.outcome import Told
from gemeos.errors import EngineError, InputError
from gemeos.foresee.goal import Goal, Samples
from gemeos.foresee.search import Evaluate, Found, Members, fewest_runs, search
from gemeos.foresee.space import DO_NOTHING, Candidate
from gemeos.foresee.verdict import Verdict, verdict
from gemeos.twins.traffic.signals.checker import Violation
from gemeos.twins.traffic.signals.junction import Controlled
from gemeos.twins.traffic.signals.plans import broken
from gemeos.twins.traffic.signals.rules import Rule, Timed
from gemeos.twins.traffic.signals.trial import (
    HOUR_S,
    USUAL_WORKERS,
    advanced,
    breaches,
    lost_s,
    policies,
    run,
    shown,
    told,
)
from gemeos.twins.traffic.signals.tune import Choices
from gemeos.units.instant import SECOND, Span

AHEAD: Final[Span] = 300 * SECOND
PROBED: Final = 4
"""Runs that tell how long one takes."""
RESERVE: Final = 1.5
"""Times what the check in the end is thought to take."""
CHECKED_AT_LEAST: Final = 8
"""Origins that the search never saw, before anything is said of a gain: see foresee.judge."""
LOST: Final = "lost"
GOAL: Final = Goal.of({LOST: "s"}, minimise=f"last({LOST})")


@dataclass(frozen=True)
class Advice:
    """What to do with the signals now."""

    rules: dict[str, Rule]
    """Of the best that was found, whether it is advised or not; empty if none was."""
    verdict: Verdict
    """Against going on as now, on origins that the search never saw. Vehicle seconds."""
    runs: int
    took_s: float
    """Since the question was asked."""
    watched: int = 0
    """Forks, those of the check among them, whose lights were looked at in the end."""
    violations: tuple[Violation, ...] = ()
    """Limits that the lights of these broke since they were forked."""


def optimise_now(  # noqa: PLR0913  # each is one thing that the caller decides
    origins: Sequence[HostedEngine],
    choices: Choices,
    junctions: Mapping[str, Controlled],
    *,
    within_s: float = 50.0,
    ahead: Span = AHEAD,
    seed: int = 0,
    workers: int = USUAL_WORKERS,
    searched: int = 2,
) -> Advice:
    """The best rules for what comes next, as far as can be found in so much time.

    Each candidate is run on forks of the present; the origins go on untouched. What is compared is
    what all vehicles lose until then.

    Args:
        origins: Members of the living ensemble as they stand now, each with its signals as now.
        choices: What may be chosen.
        junctions: The signals; plans that break their limits are never run.
        within_s: Wall time for search and check.
        ahead: How far each fork runs.
        seed: Of the search.
        workers: Forks at once.
        searched: How many origins the search sees; the others are for the check.

    Raises:
        InputError: too few origins, or no time.
        EngineError: SUMO failed everywhere.
    """
    begun = time.monotonic()
    if len(origins) < searched + CHECKED_AT_LEAST or searched < 1:
        raise InputError(
            f"{len(origins)} origins are too few: the search sees {searched}, and the check "
            f"needs {CHECKED_AT_LEAST} that it did not see."
        )
    if not within_s > 0:
        raise InputError(f"A search needs time; it has {within_s:g} s.")

    locks = [threading.Lock() for _ in origins]
    broke: list[list[Violation]] = []

    def worth(candidate: Candidate, member: int, fresh: bool) -> float:  # noqa: FBT001
        some = range(searched, len(origins)) if fresh else range(searched)
        which = some[member % len(some)]
        rules = choices.rules(candidate) if len(candidate) else {}
        if not _allowed(rules, junctions):
            return float("nan")
        with locks[which]:  # one thread at a time asks one engine
            forked = origins[which].fork()
        if not isinstance(forked, Told):
            return float("nan")
        with forked.value as fork:
            lost = _lost_ahead(fork, rules, ahead)
            if np.isfinite(lost):
                broke.append(_broken(fork, junctions, ahead))
            return lost

    with ThreadPoolExecutor(workers) as pool:
        evaluate = _evaluate(worth, pool)
        count = len(origins) - searched
        # How long a run takes depends on the traffic and on the machine: it is tried first.
        evaluate([choices.start], Members(0, PROBED))
        each = (time.monotonic() - begun) / PROBED
        until = within_s - RESERVE * each * 2 * count
        budget = int(max(until - each * PROBED, 0.0) / each)
        found = search(
            choices.space,
            GOAL,
            evaluate,
            runs=max(budget, fewest_runs(choices.space, GOAL, budget)),
            seed=seed,
            start=choices.start,
            stop=lambda: time.monotonic() - begun > until,
            at_once=4 * workers,
        )
        said = _checked(found, evaluate, count, seed)
    best = choices.rules(found.finalists[0]) if found.finalists else {}
    took_s = time.monotonic() - begun
    violated = tuple(each for those in broke for each in those)
    return Advice(best, said, found.runs, took_s, len(broke), violated)


def tuned(  # noqa: PLR0913  # each is one thing that the caller decides
    engine: HostedEngine,
    choices: Choices,
    junctions: Mapping[str, Controlled],
    *,
    runs: int,
    seed: int,
    seconds: int = HOUR_S,
    workers: int = USUAL_WORKERS,
    first_seed: int = 1001,
    stop: Callable[[], bool] = lambda: False,
) -> Found:
    """Candidates that do best over whole runs.

    Those of one generation have the same seeds of SUMO, and the next has others. Nothing of it is
    to be believed before it was run with seeds beyond.

    Args:
        engine: Of ``inside.opened``.
        choices: What may be chosen.
        junctions: The signals.
        runs: The budget.
        seed: Of the search.
        seconds: Of one run.
        workers: Runs at once.
        first_seed: Of SUMO; later ones follow.
        stop: Asked before each batch.
    """

    def worth(candidate: Candidate, member: int, _fresh: bool) -> float:  # noqa: FBT001
        rules = choices.rules(candidate)
        return run(engine, junctions, rules, first_seed + member, seconds).delay_s

    with ThreadPoolExecutor(workers) as pool:
        return search(
            choices.space,
            GOAL,
            _evaluate(worth, pool),
            runs=runs,
            seed=seed,
            start=choices.start,
            stop=stop,
            at_once=4 * workers,
        )


def _allowed(rules: Mapping[str, Rule], junctions: Mapping[str, Controlled]) -> bool:
    """Whether no plan breaks a limit; the other rules cannot."""
    return not any(
        isinstance(rule, Timed) and broken(junctions[name], rule) for name, rule in rules.items()
    )


def _lost_ahead(fork: HostedEngine, rules: Mapping[str, Rule], ahead: Span) -> float:
    """Vehicle seconds lost until then; NaN where SUMO failed."""
    try:
        before = lost_s(fork)
        told(fork.set(policies(rules)))
        advanced(fork, ahead)
        return lost_s(fork) - before
    except EngineError:
        return float("nan")


def _broken(
    fork: HostedEngine, junctions: Mapping[str, Controlled], ahead: Span
) -> list[Violation]:
    """Limits that were broken since it was forked, ``ahead`` ago.

    Raises:
        EngineError: SUMO failed.
    """
    lights, seconds = shown(fork, junctions), (fork.now - fork.began) / SECOND
    since = {name: log[0][0] + seconds - ahead / SECOND for name, log in lights.items()}
    return [v for v in breaches(junctions, lights, seconds) if v.at_s > since[v.signal]]


def _evaluate(worth: Callable[[Candidate, int, bool], float], pool: ThreadPoolExecutor) -> Evaluate:
    """Every member of every candidate, some at once."""

    def evaluate(candidates: Sequence[Candidate], members: Members) -> Samples:
        asked = [
            pool.submit(worth, candidate, member, members.fresh)
            for candidate in candidates
            for member in range(members.first, members.end)
        ]
        values = np.array([f.result() for f in asked])
        return GOAL.samples(
            {LOST: (values.reshape(1, -1), "s")}, np.zeros(1, np.int64), candidates=len(candidates)
        )

    return evaluate


def _checked(found: Found, evaluate: Evaluate, count: int, seed: int) -> Verdict:
    """The first finalist against going on as now, each origin once."""
    members = Members(count * (found.seen // count + 1), count, fresh=True)
    return verdict(
        GOAL, found.finalists[:1], evaluate, members=members, seed=seed, nothing=DO_NOTHING
    )
