"""Searches for plans on forks of a running twin: begun, run behind the live path, kept.

A search draws nothing but what its seed and its budget in runs say, so the record makes it again.
Where the budget was told as time, a first look at how fast forks run here turns it into runs, and
its time may end it before they are spent: ``OptimisationRecord.again`` is the budget by which the
same candidates are run. The check of the winner is then as wide as one would like, not as time let.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final, Protocol, final

import numpy as np
from typing_extensions import override

from gemeos.ensemble.state import TwinState
from gemeos.foresee.choices import as_written, space_of
from gemeos.foresee.fork import instants
from gemeos.foresee.goal import Goal, Samples
from gemeos.foresee.judge import Gain, Judge
from gemeos.foresee.search import Members, fewest_runs
from gemeos.foresee.search import Progress as SearchProgress
from gemeos.foresee.space import DO_NOTHING, Candidate, Space
from gemeos.foresee.verdict import Advice, Verdict
from gemeos.runtime import scenarios
from gemeos.runtime.apply import Applying
from gemeos.runtime.asked import SearchQuestion
from gemeos.runtime.base import Declares
from gemeos.runtime.fleet import Fleet
from gemeos.runtime.named import NamedWork, Pursuit, ended
from gemeos.runtime.optimisation import (
    KIND,
    GainTold,
    OptimisationRecord,
)
from gemeos.runtime.pace import Pace
from gemeos.runtime.present import Present, applied, said
from gemeos.runtime.price import cost_goal, price_of
from gemeos.runtime.scenario import Progress
from gemeos.runtime.searching import (
    MOST_RUNS,
    Decided,
    check_fresh,
    check_members,
    check_runs,
    decided,
    ends_of,
    refusal,
    runs_of,
    several,
)
from gemeos.runtime.trial import Trial, changes_of
from gemeos.runtime.tried import keep, note, told_of
from gemeos.runtime.unmodelled import unmodelled
from gemeos.schema.intervention import as_written as changes_as_written
from gemeos.schema.variable import Const
from gemeos.units import span
from gemeos.units.instant import Instant, Span

MOST_WAITING: Final = 8
LEAST_RUNS: Final = 50
"""That a budget of time is worth on the slowest machine; the deadline ends them."""
PILOT: Final = 4
"""Candidates of the first look at how fast forks run: as a batch, as the search runs them."""
DELAYS: Final = (0.125, 0.25, 0.5, 0.75)
"""Of the horizon: how much later a plan is tried to be put into force."""
FINER: Final = 2
"""How often the stretch in between, in which it comes to gain nothing, is halved."""


class Running(scenarios.Running, Declares, Protocol):
    """What optimisations need of the running site: what scenarios do, and what was applied."""

    @property
    def applying(self) -> Applying:
        """Plans being carried out."""
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

    def begin(
        self, twin: str, asked: SearchQuestion, *, actor: str = "program"
    ) -> OptimisationRecord:
        """Fork a twin, keep what is asked, and have it searched when it is its turn.

        A budget of time is for the search and the check of its winner, which is made in any case;
        ``812 of 5000 runs`` makes a search again that its time ended. Where each member is a
        simulation of its own, one run is one candidate with two of them.

        Args:
            twin: Its name.
            asked: What is asked of it.
            actor: Who asks.

        Raises:
            InputError: it cannot be done as asked; the message says how it could.
            BusyError: too many wait.
        """
        fleet = self._running.fleet(twin)
        schema = fleet.schema
        self._shelf.check_room(twin, asked.name, replacing=asked.replacing)
        space = space_of(schema, asked.over)
        units = {v.name: v.unit for v in schema.variables if not isinstance(v, Const)}
        goal = Goal.of(
            units,
            minimise=asked.minimise,
            maximise=asked.maximise,
            subject_to=asked.subject_to,
        )
        check_fresh(goal)
        check_members(goal, twin, fleet.members)
        if asked.cost:
            cost_goal(schema, asked.cost)
        runs = runs_of(asked.budget)
        check_runs(space, goal, runs)
        ahead, pace = scenarios.reach(asked.until, asked.every, schema.step)
        instants(0, ahead // schema.step, pace // schema.step)
        self._check_waiting()
        origin = self._running.questions.present(twin)
        in_force = self._present(twin, asked.present, origin.state)
        record = OptimisationRecord(
            twin=twin,
            name=asked.name,
            over=as_written(space),
            minimise=several(asked.minimise),
            maximise=several(asked.maximise),
            subject_to=several(asked.subject_to),
            until=ahead,
            every=pace,
            budget=asked.budget,
            seed=asked.seed,
            present="" if in_force is None else in_force.name,
            forked_at=int(origin.state.tick[0]) * schema.step,
            known_at=origin.known_at,
            heard_until=origin.heard_until,
            model=fleet.identity,
            origin=origin.digest,
            actor=actor,
            created=self._running.clock.now(),
            runs=runs or 0,
            unmodelled=unmodelled(fleet, twin, {axis.name for axis in space.axes}),
            cost=asked.cost,
            in_force={} if in_force is None else dict(in_force.sets),
        )
        packed, over_told = origin.state.to_bytes(), ", ".join(record.over)
        sets = None if in_force is None else in_force.sets
        job = _Job(twin, asked.name, record, origin.state, space, goal, sets)
        self._begin(job, packed, self._run, replacing=asked.replacing, actor=actor, asked=over_told)
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
        began = self._spent(job)
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
            executor=self._running.executor,
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

        decision = decided(
            trial,
            job.space,
            runs=job.record.runs,
            seed=job.record.seed,
            present=job.present,
            evaluate=evaluate,
            stop=is_spent,
            progress=told,
            pace=pace,
            ends=ends_of(job.record.budget),
        )
        found, fresh, judged = decision.found, decision.fresh, decision.verdict
        job.at(0.9)
        unkept = [f for f in found.finalists if f not in job.tried]
        if unkept:
            keep(job.tried, unkept, trial.evaluate(unkept, Members(0, trial.block)))
        latest = self._latest(job, trial, decision, pace)
        price = price_of(trial, job.record.cost, judged, fresh, seed=job.record.seed, pace=pace)
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
            price=price,
            took=self._spent(job) - began,
        )
        # Meanwhile it may have fallen out of step.
        if not self._is_refused(job):
            job.record = with_verdict(job.record, fleet, judged)

    def _spent(self, job: _Job) -> Instant:
        """The machine's time without that in which others had their turn."""
        return self._running.clock.wall() - job.waited

    def _is_refused(self, job: _Job) -> bool:
        """A twin that is out of step gives no advice (contract 8)."""
        why = refusal(job.twin, self._running.questions.trust(job.twin).phase)
        if why is None:
            return False
        job.record = replace(
            job.record,
            advice=Advice.KEEP if job.present is not None else Advice.NOTHING,
            reasons=(why,),
        )
        return True

    def _paced(self, job: _Job, trial: Trial) -> Pace:
        """The budget of time, with a first look at what runs take; turned into runs, two digits."""
        wall = partial(self._spent, job)
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
        decision: Decided,
        pace: Pace | None,
    ) -> Instant | None:
        """Until when the winner still gains if it is put into force only then.

        As far as that was looked at: with no time left it is told of no later moment.
        """
        told, fresh = decision.verdict, decision.fresh
        if told.advice is not Advice.CHANGE or told.winner is None:
            return None
        judge = Judge(job.goal, told.level, job.record.seed, trial.origins)
        nothing, winner = decision.judged([DO_NOTHING], fresh), told.winner
        step = trial.fleet.schema.step

        def gains(delay: Span) -> bool | None:
            """Put into force so much later; None with no time left to look."""
            job.at(job.fraction)
            if pace is not None and not pace.has_room(fresh.count // trial.origins):
                return None
            pair = trial.later(delay).evaluate([winner], fresh).more_candidates(nothing)
            return judge.comparison(winner, DO_NOTHING, pair).is_better

        until, useless = 0, None
        for share in DELAYS:
            delay = round(share * job.record.until)
            if not gains(delay):
                useless = delay
                break
            until = delay
        for _ in range(FINER):
            if useless is None or (middle := (until + useless) // 2 // step * step) <= until:
                break
            if gains(middle):
                until = middle
            else:
                useless = middle
        return job.record.forked_at + until

    @override
    def _over(self, job: _Job) -> None:
        ended(job)
        self._shelf.put(job.record, job.state.to_bytes())


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
        loss=decided.rivalry.loss if np.isfinite(decided.rivalry.loss) else None,
        rivals=decided.rivalry.rivals if decided.chances else None,
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
