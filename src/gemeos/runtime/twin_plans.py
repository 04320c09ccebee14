"""The plans of one twin in this process."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from statistics import NormalDist
from typing import Final, Protocol, final

import numpy as np
from jaxtyping import Float64

from gemeos.act.undertaking import Undertaking
from gemeos.ensemble.estimate import Estimate
from gemeos.errors import BusyError, InputError, NotReadyError
from gemeos.foresee.verdict import LEVEL
from gemeos.runtime import dossiers
from gemeos.runtime.apply import operates
from gemeos.runtime.asked import ScenarioQuestion, When
from gemeos.runtime.dossiers import gathered
from gemeos.runtime.ledger_row import Ledger
from gemeos.runtime.optimisation import OptimisationRecord
from gemeos.runtime.optimisations import Optimisations
from gemeos.runtime.plan import Applied, Kill, PlanRecord
from gemeos.runtime.promise import promise_of
from gemeos.runtime.scenario import ScenarioRecord
from gemeos.runtime.scenarios import Scenarios
from gemeos.runtime.twin import Twin
from gemeos.runtime.why import Why, why
from gemeos.schema.binding import Binding
from gemeos.schema.plan import Band, Cost, Gain, Plan, Promise
from gemeos.schema.role import Role
from gemeos.schema.variable import Control, Sensor
from gemeos.units import iso, span

logger = logging.getLogger(__name__)

FORECAST_S: Final = 30.0
"""How long a plan's forecast is waited for."""
AGAIN_S: Final = 5.0
"""How long the forecast of one that is applied is waited for: somebody wants to see it happen."""
STEPS_OLD: Final = 2
"""Of the model, after which a plan's forecast is made again when it is applied."""
PROGRAM: Final = "program"
"""Who does what a program of its own does without saying for whom."""


class Running(dossiers.Running, Protocol):
    """What this needs of the running site."""

    @property
    def scenarios(self) -> Scenarios:
        """Those of all twins."""
        ...

    @property
    def optimisations(self) -> Optimisations:
        """Those of all twins."""
        ...


@final
class TwinPlans:
    """See ``PlansOfTwin``. A program in this process may do everything, in anybody's name."""

    def __init__(
        self, running: Running, twin: str, *, actor: str = PROGRAM, role: Role = Role.ADMIN
    ) -> None:
        """``actor`` is whoever asks, ``role`` what that person may."""
        self._running, self._twin = running, twin
        self._actor, self._role = actor, role

    def keep(self, plan: Plan, *, replacing: bool = False) -> PlanRecord:
        """See ``PlansOfTwin``."""
        if plan.twin != self._twin:
            raise InputError(f"The plan {plan.name} is for {plan.twin}, not for {self._twin}.")
        return self._running.plans.keep(plan, actor=self._actor, replacing=replacing)

    def of_scenario(
        self,
        scenario: str,
        *,
        name: str | None = None,
        on: Sequence[str] = (),
        share: float = 0.9,
        expires: str = "10 min",
        replacing: bool = False,
    ) -> PlanRecord:
        """See ``PlansOfTwin``."""
        record = self._running.scenarios.record(self._twin, scenario)
        plan = self._made_of(record, name or scenario, on, share, expires)
        if on:
            # Nobody said what is to be gained: by how much the first of them will be more.
            promise = self._promised(record, f"mean({on[0]})", "maximise")
            plan = replace(plan, promise=promise)
        reasons = (f"made by hand of the scenario {scenario}",)
        return self.keep(
            replace(plan, cause=f"scenario {scenario}", reasons=reasons), replacing=replacing
        )

    def of_optimisation(
        self,
        optimisation: str,
        *,
        on: Sequence[str] = (),
        share: float = 0.9,
        expires: str = "10 min",
        replacing: bool = False,
    ) -> PlanRecord:
        """See ``PlansOfTwin``."""
        found = self._running.optimisations.record(self._twin, optimisation)
        if found.winner is None:
            raise InputError(f"{optimisation} of {self._twin} found nothing to do: {found.told}")
        scenarios, name = self._running.scenarios, optimisation
        record = scenarios.begin(
            self._twin,
            ScenarioQuestion(
                name=f"plan-{optimisation}",
                changes=found.winner,
                until=found.until,
                every=found.every,
                replacing=True,
            ),
            actor=self._actor,
        )
        plan = self._made_of(record, name, on, share, expires)
        ends = plan.expires_at
        late: tuple[str, ...] = ()
        if found.is_recommended and found.latest is not None:
            if found.latest > plan.made_at:
                ends = min(ends, found.latest)
            else:
                late = (f"It was not shown to gain if put into force after {iso(found.latest)}.",)
        plan = replace(
            plan,
            cause=f"optimisation {optimisation}",
            expires_at=ends,
            gain=_gain(found),
            promise=self._promised(record, *_first_objective(found)),
            best=found.chances[0] if found.chances else None,
            recommended=found.is_recommended,
            reasons=(*found.reasons, *late) if found.is_recommended else (),
            against=() if found.is_recommended else found.reasons or (found.told,),
            not_modelled=found.unmodelled,
            seeds=(found.seed,),
            candidates=found.tried,
            cost=Cost(found.ran, found.fresh, found.took, found.price),
            loss=found.loss,
            finalists=len(found.chances) or None,
            rivals=found.rivals,
            latest=found.latest if found.is_recommended else None,
        )
        return self.keep(plan, replacing=replacing)

    def _made_of(
        self, record: ScenarioRecord, name: str, on: Sequence[str], share: float, expires: str
    ) -> Plan:
        """A plan that does what a scenario did, with what is then expected."""
        twin, scenarios = self._running.twin(self._twin), self._running.scenarios
        _only_controls(twin, record)
        watched = tuple(on) or tuple(
            dict.fromkeys(
                b.variable
                for b in twin.bindings
                if isinstance(twin.schema.variable(b.variable), Sensor)
            )
        )
        told = [
            scenarios.compare(self._twin, record.name, on=each, wait_s=FORECAST_S)
            for each in watched
        ]
        now = self._running.clock.now()
        return Plan(
            twin=self._twin,
            name=name,
            changes=record.changes,
            made_at=now,
            actor=self._actor,
            cause=f"scenario {record.name}",
            expires_at=now + span(expires),
            state_at=record.forked_at,
            origin=record.origin,
            model=record.model,
            bands=tuple(
                band(twin, each.after, on, share) for on, each in zip(watched, told, strict=True)
            ),
            nothing=tuple(
                band(twin, each.before, on, share) for on, each in zip(watched, told, strict=True)
            ),
            candidates=1,
        )

    def _promised(self, record: ScenarioRecord, objective: str, sense: str) -> Promise | None:
        """What one reality will gain by what a scenario did."""
        compared = self._running.scenarios.compare(
            self._twin, record.name, on=_some_name(record), wait_s=FORECAST_S
        )
        return promise_of(
            self._running.twin(self._twin).schema,
            objective,
            sense,
            nothing=compared.before,
            plan=compared.after,
            until=record.until,
            every=record.every,
        )

    def all(self) -> Sequence[PlanRecord]:
        """See ``PlansOfTwin``."""
        return self._running.plans.all(self._twin)

    def record(self, name: str) -> PlanRecord:
        """See ``PlansOfTwin``."""
        return self._running.plans.record(self._twin, name)

    def undertaking(self, name: str) -> Undertaking | None:
        """See ``PlansOfTwin``."""
        return self._running.applying.undertakings.of(self.record(name).plan.id)

    def approve(self, name: str, *, by: str | None = None) -> PlanRecord:
        """See ``PlansOfTwin``."""
        return self._running.plans.approve(
            self._twin, name, actor=by or self._actor, role=self._role
        )

    def apply(self, name: str, *, approve: str | None = None, dry_run: bool = True) -> Applied:
        """See ``PlansOfTwin``."""
        actor = approve or self._actor
        operates(actor, self._role)
        return self._running.applying.apply(
            self._twin,
            name,
            actor=actor,
            role=self._role,
            approve=approve is not None,
            dry_run=dry_run,
            bands=None if dry_run else self._foreseen_again(self.record(name).plan, actor),
        )

    def _foreseen_again(self, plan: Plan, actor: str) -> tuple[Band, ...] | None:
        """The plan's bands from this moment on, kept as the scenario ``applied-NAME``.

        Whoever approves takes their time. Held against what was foreseen for a start back then,
        reality would seem to go astray. None where the plan's own bands hold: they are new, were
        made by hand, or for a later moment, or the forecast takes longer than somebody waits.
        """
        twin, scenarios = self._running.twin(self._twin), self._running.scenarios
        old = self._running.clock.now() - plan.state_at > STEPS_OLD * twin.schema.step
        if not (plan.bands and plan.origin and old) or plan.begins_at is not None:
            return None
        times = plan.bands[0].valid_at
        name = f"applied-{plan.name}"
        try:
            record = scenarios.begin(
                self._twin,
                ScenarioQuestion(
                    name=name,
                    changes=plan.changes,
                    until=times[-1] - plan.state_at,
                    every=times[-1] - times[-2] if len(times) > 1 else None,
                    replacing=True,
                ),
                actor=actor,
            )
            return tuple(
                band(
                    twin,
                    scenarios.compare(
                        self._twin, record.name, on=each.variable, wait_s=AGAIN_S
                    ).after,
                    each.variable,
                    each.share,
                )
                for each in plan.bands
            )
        except (NotReadyError, BusyError, InputError) as error:
            logger.warning("%s is held against its first forecast: %s", plan.name, error)
            if name in {each.name for each in scenarios.all(self._twin)}:
                # Nobody waits for it any more.
                scenarios.cancel(self._twin, name, actor=actor)
            return None

    def give_up(self, name: str, *, why: str = "") -> Undertaking | None:
        """See ``PlansOfTwin``."""
        plan = self.record(name).plan
        return self._running.applying.give_up(plan, actor=self._actor, role=self._role, why=why)

    def drop(self, name: str) -> None:
        """See ``PlansOfTwin``."""
        self._running.plans.drop(self._twin, name, actor=self._actor)

    def stop(self, *, why: str = "") -> Kill:
        """See ``PlansOfTwin``."""
        return self._running.applying.switches.engage(
            self._twin, actor=self._actor, role=self._role, why=why
        )

    def release(self) -> bool:
        """See ``PlansOfTwin``."""
        return self._running.applying.switches.release(
            self._twin, actor=self._actor, role=self._role
        )

    def why(self, control: str, at: When) -> Why:
        """See ``PlansOfTwin``."""
        self._running.twin(self._twin).schema.variable(control)
        when = at if isinstance(at, int) else self._running.site.instant(at)
        return why(self._running.timeline, self._twin, control, when)

    def ledger(self) -> Ledger:
        """See ``PlansOfTwin``."""
        return self._running.applying.ledgers.of(self._twin)

    def dossier(self, name: str) -> bytes:
        """See ``PlansOfTwin``."""
        return gathered(self._running, self._twin, name).to_bytes()


def _gain(found: OptimisationRecord) -> Gain | None:
    """In its first objective; None where nothing can be said."""
    # As many chances to be called better as there are objectives: Bonferroni.
    share = 1.0 - (1.0 - LEVEL) / max(len(found.gains), 1)
    for told in found.gains[:1]:
        if told.gain is not None and told.low is not None and told.high is not None:
            return Gain(told.objective, told.unit, told.gain, told.low, told.high, share)
    return None


def _first_objective(found: OptimisationRecord) -> tuple[str, str]:
    """As it was written, and its sense; those to be small come first, as in a goal."""
    if found.minimise:
        return found.minimise[0], "minimise"
    return found.maximise[0], "maximise"


def _some_name(record: ScenarioRecord) -> str:
    """A variable that both forks tell; which one they are compared on tells nothing here."""
    return next(iter(record.changes))


def _only_controls(twin: Twin, record: ScenarioRecord) -> None:
    controls = {v.name for v in twin.schema.variables if isinstance(v, Control)}
    others = sorted(set(record.changes) - controls)
    if others or not record.changes:
        raise InputError(
            f"The scenario {record.name} changes {', '.join(others) or 'nothing'}; a plan sets "
            f"controls and nothing else. {twin.name} has: {', '.join(sorted(controls)) or 'none'}."
        )


def band(twin: Twin, estimate: Estimate, variable: str, share: float) -> Band:
    """Where a variable is expected, as it will be read.

    Members tell what is so; a reading of it has its sensor's noise beside. The two are added as
    independent normal errors: each half of the interval becomes the root of the sum of squares of
    itself and of the noise's. Beyond its bounds no sensor reads.
    """
    told = estimate[variable]
    low, high = told.interval(share)
    middle = told.quantile(0.5)
    noise = _noise(twin, variable)
    reach = NormalDist().inv_cdf(0.5 + share / 2) * noise
    return Band(
        variable=variable,
        unit=told.unit,
        share=share,
        valid_at=tuple(int(at) for at in told.times),
        low=tuple(_read(twin, variable, middle - np.hypot(middle - low, reach))),
        high=tuple(_read(twin, variable, middle + np.hypot(high - middle, reach))),
    )


def _read(twin: Twin, variable: str, values: Float64[np.ndarray, " time"]) -> list[float]:
    """Within what the sensor can read at all."""
    declared = twin.schema.variable(variable)
    least, most = declared.bounds if isinstance(declared, Sensor) else (None, None)
    told: list[float] = np.clip(
        values, -np.inf if least is None else least, np.inf if most is None else most
    ).tolist()
    return told


def _noise(twin: Twin, variable: str) -> float:
    """Standard deviation of one reading of it; zero of what no channel reads."""
    declared = twin.schema.variable(variable)
    bound: list[Binding] = [b for b in twin.bindings if b.variable == variable]
    if not (isinstance(declared, Sensor) and bound):
        return 0.0
    known = [b.noise if b.noise is not None else declared.noise for b in bound]
    return max((each for each in known if each is not None), default=0.0)
