"""Searches for plans on forks of a running twin: begun, run behind the live path, kept.

A search draws nothing but what its seed and its budget in runs say, so the record makes it again.
Where the budget was told as time, a first look at how fast forks run here turns it into runs.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Protocol, final

import numpy as np
from typing_extensions import override

from gemeos.ensemble.state import TwinState
from gemeos.errors import GemeosError, InputError
from gemeos.foresee.choices import Asked, as_written, space_of
from gemeos.foresee.fork import instants
from gemeos.foresee.goal import Goal, Samples
from gemeos.foresee.judge import Gain, Judge
from gemeos.foresee.search import Evaluate, Members, fewest_runs, search
from gemeos.foresee.search import Progress as SearchProgress
from gemeos.foresee.space import DO_NOTHING, Candidate, Space
from gemeos.foresee.verdict import Advice, Verdict, fresh_members, verdict
from gemeos.runtime import scenarios
from gemeos.runtime.apply import Applying
from gemeos.runtime.fleet import Fleet
from gemeos.runtime.named import NamedWork, Pursuit, ended
from gemeos.runtime.optimisation import (
    DEFAULT_BUDGET,
    KIND,
    GainTold,
    OptimisationRecord,
)
from gemeos.runtime.pace import Pace
from gemeos.runtime.phase import Phase
from gemeos.runtime.present import Present, applied, said
from gemeos.runtime.scenario import Progress
from gemeos.runtime.trial import Trial, changes_of
from gemeos.runtime.tried import Once, note, told_of
from gemeos.runtime.twin import Twin
from gemeos.schema.intervention import as_written as changes_as_written
from gemeos.schema.variable import Const, Input
from gemeos.units import span
from gemeos.units.instant import Instant, Span

MOST_WAITING: Final = 8
MOST_RUNS: Final = 1_000_000
MOST_FRESH: Final = 200_000
"""Members of the check of a winner: they show shares down to 0.006 %."""
LEAST_RUNS: Final = 50
"""That a budget of time is worth on the slowest machine; the deadline ends them."""
PILOT: Final = 4
"""Candidates of the first look at how fast forks run: as a batch, as the search runs them."""
DELAYS: Final = (0.125, 0.25, 0.5, 0.75)
"""Of the horizon: how much later a plan is tried to be put into force."""
_RUNS = re.compile(r"\s*(\d+)\s*runs?\s*")


class Running(scenarios.Running, Protocol):
    """What optimisations need of the running site: what scenarios do, and what was applied."""

    @property
    def applying(self) -> Applying:
        """Plans being carried out."""
        ...

    def twin(self, name: str) -> Twin:
        """The declared twin."""
        ...


@dataclass(eq=False)
class _Job(Pursuit[OptimisationRecord]):
    state: TwinState
    space: Space
    goal: Goal
    present: Candidate | None
    tried: dict[Candidate, Samples] = field(default_factory=dict, init=False)


@final
class Optimisations(NamedWork[OptimisationRecord, _Job]):
    """See the module. May be asked from any thread but the path's own."""

    def __init__(self, running: Running) -> None:
        """``running`` lets them look."""
        super().__init__(running, KIND, OptimisationRecord, most=MOST_WAITING)
        self._running = running

    def begin(  # noqa: PLR0913 -- each is one word of the question, by keyword
        self,
        twin: str,
        name: str,
        over: Mapping[str, Asked],
        *,
        until: str | Span,
        minimise: str | Sequence[str] = (),
        maximise: str | Sequence[str] = (),
        subject_to: str | Sequence[str] = (),
        every: str | Span | None = None,
        budget: str = DEFAULT_BUDGET,
        present: str | None = None,
        seed: int = 0,
        replacing: bool = False,
        actor: str = "program",
    ) -> OptimisationRecord:
        """Fork a twin, keep what is asked, and have it searched when it is its turn.

        Args:
            twin: Its name.
            name: Of the optimisation.
            over: What may be chosen, by control or constant, as ``foresee.choices`` reads it.
            until: How far ahead plans are judged.
            minimise: Objectives, as ``foresee.objective`` reads them.
            maximise: The same; one of both at least.
            subject_to: Constraints, as in ``P(stress > 140 MPa) < 0.01``.
            every: Between two instants that are looked at; by default a hundredth of ``until``.
            budget: As in ``20 s`` or ``5000 runs``. A time is for the search and the check of its
                winner, which is made in any case. Runs are those of the search; one is one
                candidate with half of the twin's members, or with two of them where each is a
                simulation of its own.
            present: The optimisation whose advice was followed: the plan that it found, or kept,
                is in force, and stays unless another is shown to be better. None: the plan that
                was applied last, as long as its controls stand where it set them. Empty: none is.
            seed: Of what the search draws.
            replacing: Take the place of one of that name.
            actor: Who asks.

        Raises:
            InputError: it cannot be done as asked; the message says how it could.
            BusyError: too many wait.
        """
        fleet = self._running.fleet(twin)
        schema = fleet.schema
        self._shelf.check_room(twin, name, replacing=replacing)
        space = space_of(schema, over)
        units = {v.name: v.unit for v in schema.variables if not isinstance(v, Const)}
        goal = Goal.of(units, minimise=minimise, maximise=maximise, subject_to=subject_to)
        _check_fresh(goal)
        runs = _runs(budget)
        _check_runs(space, goal, runs)
        ahead, pace = scenarios.reach(until, every, schema.step)
        instants(0, ahead // schema.step, pace // schema.step)
        self._check_waiting()
        origin = self._running.questions.present(twin)
        in_force = self._present(twin, present, origin.state)
        record = OptimisationRecord(
            twin=twin,
            name=name,
            over=as_written(space),
            minimise=_several(minimise),
            maximise=_several(maximise),
            subject_to=_several(subject_to),
            until=ahead,
            every=pace,
            budget=budget,
            seed=seed,
            present="" if in_force is None else in_force.name,
            forked_at=int(origin.state.tick[0]) * schema.step,
            known_at=origin.known_at,
            model=fleet.identity,
            origin=origin.digest,
            actor=actor,
            created=self._running.clock.now(),
            runs=runs or 0,
            unmodelled=_unmodelled(fleet, space),
            in_force={} if in_force is None else dict(in_force.sets),
        )
        packed, over_told = origin.state.to_bytes(), ", ".join(record.over)
        sets = None if in_force is None else in_force.sets
        job = _Job(twin, name, record, origin.state, space, goal, sets)
        self._begin(job, packed, self._run, replacing=replacing, actor=actor, asked=over_told)
        return record

    def _present(self, twin: str, name: str | None, state: TwinState) -> Present | None:
        """The plan in force; None where none is.

        Raises:
            UnknownNameError: there is no search of that name.
            InputError: its advice leaves no plan in force.
        """
        if name is not None:
            return said(self.record(twin, name)) if name else None
        found = applied(self._running.applying.undertakings.all(twin))
        if found is None:
            return None
        declared, driven = self._running.twin(twin), self._running.fleet(twin).schema.driven
        heard = {b.variable for b in declared.bindings}
        for place, variable in enumerate(driven):
            if variable.name in found.sets and variable.name in heard:
                stands = float(np.mean(state.driven[0, place]))
                tolerance = declared.actuations[variable.name].rules.tolerance
                if abs(stands - float(found.sets[variable.name])) > tolerance:
                    # Somebody moved it after its watch was over.
                    return None
        return found

    def _run(self, job: _Job) -> None:
        began = self._running.clock.wall()
        job.record = replace(job.record, progress=Progress.RUNNING)
        if self._is_refused(job):
            return
        fleet = self._running.fleet(job.twin)
        step = fleet.schema.step
        trial = Trial(
            fleet,
            job.twin,
            job.state,
            job.goal,
            until=job.record.until // step,
            every=job.record.every // step,
            at=lambda: job.at(job.fraction),
        )
        pace = None if job.record.runs else self._paced(job, trial)

        def evaluate(candidates: Sequence[Candidate], members: Members) -> Samples:
            samples = trial.evaluate(candidates, members)
            note(job.tried, candidates, samples)
            return samples

        def told(progress: SearchProgress) -> None:
            job.at(0.8 * progress.runs / progress.of)

        def is_spent() -> bool:
            # Never before something was tried: importing the method may take as long as the time.
            return pace is not None and pace.is_spent and bool(job.tried)

        at_once = max(1, trial.at_once // trial.block)
        if pace is not None:
            fewest = fewest_runs(job.space, job.goal, job.record.runs)
            at_once = min(at_once, pace.at_once(job.record.runs, fewest))
        searching = self._running.clock.wall()
        found = search(
            job.space,
            job.goal,
            evaluate,
            runs=job.record.runs,
            seed=job.record.seed,
            start=_start(job),
            stop=is_spent,
            progress=told,
            block=trial.block,
            at_once=at_once,
        )
        job.at(0.8)
        seen = math.ceil(found.seen / trial.origins) * trial.origins
        fresh, finalists = fresh_members(job.goal, seen, block=trial.origins), found.finalists
        if pace is not None:
            pace.learn(self._running.clock.wall() - searching, found.runs)
            check = pace.check(fresh.count // trial.origins, len(finalists))
            fresh = replace(fresh, count=check.blocks * trial.origins)
            finalists = finalists[: check.finalists]
        judged = Once(trial.evaluate)
        decided = verdict(
            job.goal,
            finalists,
            judged,
            members=fresh,
            seed=job.record.seed,
            present=job.present,
            origins=trial.origins,
        )
        job.at(0.9)
        latest = self._latest(job, trial, decided, fresh, judged, pace)
        job.record = replace(
            job.record,
            ran=found.runs,
            method=found.method,
            ending=found.ending.value,
            tried=found.tried,
            candidates=told_of(job.goal, job.tried),
            fresh=fresh.count,
            first_fresh=fresh.first,
            latest=latest,
            took=self._running.clock.wall() - began,
        )
        # Meanwhile it may have fallen out of step.
        if not self._is_refused(job):
            job.record = with_verdict(job.record, fleet, decided)

    def _is_refused(self, job: _Job) -> bool:
        """A twin that is out of step gives no advice (contract 8)."""
        phase = self._running.questions.trust(job.twin).phase
        if phase not in {Phase.DRIFTING, Phase.BLIND}:
            return False
        job.record = replace(
            job.record,
            advice=Advice.KEEP if job.present is not None else Advice.NOTHING,
            reasons=(f"{job.twin} is {phase.value}: what it foresees is not to be relied on.",),
        )
        return True

    def _paced(self, job: _Job, trial: Trial) -> Pace:
        """The budget of time, with a first look at what runs take; turned into runs, two digits."""
        wall = self._running.clock.wall
        pace = Pace(
            wall,
            span(job.record.budget),
            runs_a_block=trial.origins // trial.block,
            compared=2 if job.present is None else 3,
        )
        if not trial.is_simulated:
            some, pilot = [DO_NOTHING] * PILOT, Members(0, trial.block)
            trial.evaluate(some, pilot)
            # What is compiled or fetched the first time must not be taken from the search.
            pace.begin_again()
        else:
            # Two of one member would be made as one; and once is dear enough.
            some, pilot = [DO_NOTHING], Members(0, PILOT * trial.block)
        began = wall()
        trial.evaluate(some, pilot)
        pace.learn(wall() - began, PILOT)
        runs = min(max(pace.runs, 1 if trial.is_simulated else LEAST_RUNS), MOST_RUNS)
        digits = max(len(str(runs)) - 2, 0)
        runs = runs // 10**digits * 10**digits
        runs = max(runs, fewest_runs(job.space, job.goal, runs))
        job.record = replace(job.record, runs=runs)
        return pace

    def _latest(
        self,
        job: _Job,
        trial: Trial,
        decided: Verdict,
        fresh: Members,
        judged: Evaluate,
        pace: Pace | None,
    ) -> Instant | None:
        """Until when the winner still gains if it is put into force only then.

        As far as that was looked at: with no time left it is told of no later moment.
        """
        if decided.advice is not Advice.CHANGE or decided.winner is None:
            return None
        judge = Judge(job.goal, decided.level, job.record.seed, trial.origins)
        nothing = judged([DO_NOTHING], fresh)
        latest = job.record.forked_at
        for share in DELAYS:
            job.at(0.9 + 0.1 * share)
            if pace is not None and not pace.has_room(fresh.count // trial.origins):
                break
            delay = round(share * job.record.until)
            later = trial.later(delay).evaluate([decided.winner], fresh)
            pair = later.more_candidates(nothing)
            if not judge.comparison(decided.winner, DO_NOTHING, pair).is_better:
                break
            latest = job.record.forked_at + delay
        return latest

    @override
    def _over(self, job: _Job) -> None:
        ended(job)
        self._shelf.put(job.record, job.state.to_bytes())


def _check_fresh(goal: Goal) -> None:
    """See that the check of a winner comes to an end."""
    if goal.fresh_wanted > MOST_FRESH:
        raise InputError(
            f"To check a plan for that takes {goal.fresh_wanted} members, and {MOST_FRESH} are run "
            "at most: allow a larger share, or a quantile that is less far out."
        )


def _check_runs(space: Space, goal: Goal, runs: int | None) -> None:
    """Refuse at once what would fail when it is its turn. Of a time it is not known beforehand."""
    if runs is not None and runs < (fewest := fewest_runs(space, goal, runs)):
        names = ", ".join(dict.fromkeys(axis.name for axis in space.axes))
        raise InputError(
            f"A search over {names} needs at least {fewest} runs; the budget is {runs}."
        )


def _runs(budget: str) -> int | None:
    """The budget in runs; None where it is a time.

    Raises:
        InputError: it is nothing, too much, or cannot be read.
    """
    found = _RUNS.fullmatch(budget)
    if found is None:
        if span(budget) <= 0:
            raise InputError(f"A budget of {budget} searches nothing.")
        return None
    runs = int(found[1])
    if not 0 < runs <= MOST_RUNS:
        raise InputError(f"A budget is 1 to {MOST_RUNS} runs; {runs} were given.")
    return runs


def _start(job: _Job) -> Candidate | None:
    """The present plan, for the search to begin with; None where it is not one of its choices."""
    if job.present is None:
        return None
    try:
        job.space.check(job.present)
    except GemeosError:
        return None
    return job.present


def _several(texts: str | Sequence[str]) -> tuple[str, ...]:
    return (texts,) if isinstance(texts, str) else tuple(texts)


def _unmodelled(fleet: Fleet, space: Space) -> tuple[str, ...]:
    """What plans are judged without."""
    names = {axis.name for axis in space.axes}
    held = [v.name for v in fleet.schema.driven if v.name not in names]
    told = []
    if fleet.school.inputs is None:
        inputs = [v.name for v in fleet.schema.driven if isinstance(v, Input)]
        if inputs:
            told.append(f"where inputs go: {_are(inputs)} held as last heard")
    else:
        held = [n for n in held if not isinstance(fleet.schema.variable(n), Input)]
    controls = [n for n in held if not isinstance(fleet.schema.variable(n), Input)]
    if controls:
        they = "they are" if len(controls) > 1 else "it is"
        told.append(f"anybody who sets {', '.join(controls)} meanwhile: {they} held")
    return tuple(told)


def _are(names: Sequence[str]) -> str:
    return f"{', '.join(names)} {'are' if len(names) > 1 else 'is'}"


def with_verdict(record: OptimisationRecord, fleet: Fleet, decided: Verdict) -> OptimisationRecord:
    """The record with what the verdict says."""
    winner, over_nothing = decided.winner, decided.over_nothing
    over_present = decided.over_present
    changed = None if winner is None else changes_as_written(changes_of(fleet.schema, winner))
    return replace(
        record,
        winner=changed,
        advice=decided.advice,
        reasons=decided.reasons,
        gains=() if over_nothing is None else tuple(map(_told, over_nothing.gains)),
        over_present=() if over_present is None else tuple(map(_told, over_present.gains)),
        finalists=tuple(dict(f) for f in decided.finalists),
        chances=decided.chances,
    )


def _told(gain: Gain) -> GainTold:
    def number(value: float) -> float | None:
        return float(value) if np.isfinite(value) else None

    return GainTold(
        objective=str(gain.objective),
        unit=gain.objective.unit,
        winner=number(gain.worth.value),
        nothing=number(gain.other.value),
        gain=number(gain.gain.mean),
        low=number(gain.gain.low),
        high=number(gain.gain.high),
        members=gain.members,
    )
