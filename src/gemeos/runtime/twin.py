"""A twin as its user declares it and asks it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from typing_extensions import override

from gemeos.act.base import Conduct
from gemeos.assimilate.base import Follows
from gemeos.assimilate.cycle import Cycle
from gemeos.assimilate.esrf import SerialSquareRoot
from gemeos.assimilate.fast import analyst
from gemeos.ensemble.estimate import Estimate
from gemeos.errors import SchemaError, StoppedError
from gemeos.foresee.issue import Scoring
from gemeos.runtime.actuation import Actuation, actuation_of, conduct_of
from gemeos.runtime.alert import Alert, AlertStanding
from gemeos.runtime.asked import Answers, When
from gemeos.runtime.asks_what_if import AsksWhatIf
from gemeos.runtime.channels import channels_of
from gemeos.runtime.engine_model import EngineModel
from gemeos.runtime.enrolment import Enrolment
from gemeos.runtime.fleet import Fleet
from gemeos.runtime.futures import Futures, Hindsight, Searches, WhatIfs
from gemeos.runtime.planned import Applies, PlansOfTwin
from gemeos.runtime.remembered import Remembered
from gemeos.runtime.school import Foresight
from gemeos.runtime.trust import Trust
from gemeos.schema.binding import Binding
from gemeos.schema.reading import Series
from gemeos.schema.scene import Scene
from gemeos.schema.schema import Schema
from gemeos.schema.variable import Input
from gemeos.simulate import compile_model
from gemeos.simulate.advance import Stepper
from gemeos.simulate.base import HoldsProcesses, Simulator
from gemeos.units import conversion, instant, quantity, span
from gemeos.units.instant import SECOND, Span

DEFAULT_MEMBERS = 64
DEFAULT_HORIZON_STEPS = 1000
_NOTHING_FORESEEN: Final = Foresight()
_NOTHING_KNOWN: Final[Mapping[str, float]] = MappingProxyType({})
_NOTHING_SET: Final[Mapping[str, Actuation]] = MappingProxyType({})
_USUAL_CONDUCT: Final = Conduct()
_NOTHING_WATCHED: Final[Mapping[str, Alert]] = MappingProxyType({})
"""Shared: of large fleets most twins have none of these."""


class Twin(AsksWhatIf, Applies):
    """The virtual copy of one thing.

    Declare it (model, constants, bindings), run it (``gm.run``), ask it. Questions before it runs
    raise ``StoppedError``.
    """

    def __init__(  # noqa: PLR0913 -- each is one word of the declaration, by keyword
        self,
        name: str,
        model: type | Simulator | EngineModel,
        *,
        members: int = DEFAULT_MEMBERS,
        seed: int = 0,
        consts: Mapping[str, float | str] | None = None,
        horizon: str | None = None,
        lateness: str = "0 s",
        remember: str | None = None,
        leads: Sequence[str] = (),
        score: Sequence[str] = (),
        forecast_every: str | None = None,
        show: Sequence[str] = (),
        foresee_inputs: str | None = None,
    ) -> None:
        """A twin that is declared and does not run yet.

        Args:
            name: How everything else names it.
            model: A class declared with ``gm.model``, any simulator, or an ``gm.EngineModel``
                that ties somebody else's.
            members: Size of the ensemble.
            seed: Of its noise; the same seed and readings give the same bits.
            consts: Values of the model's constants; text with a unit where they have one.
            horizon: How far back a late reading is taken in at once, as in ``"10 min"``; by
                default a thousand steps.
            lateness: By how much readings may be late before the twin is said to be behind.
            remember: How often a summary row is kept, as in ``"1 min"``; by default every step,
                but at most one a second.
            leads: How far ahead it is held to its forecasts, as in ``("1 min", "15 min")``: they
                are issued by themselves, stored, and scored when the truth is read; ``trust``
                tells. By default none are.
            score: The sensors whose forecasts are scored; by default all.
            forecast_every: How often these are issued; by default as often as the shortest lead
                is long.
            show: The variables that somebody wants to see first.
            foresee_inputs: The span over which means of the inputs are remembered, as in
                ``"1 h"``; from up to six weeks, or 1,008 spans, of them forecasts tell where each
                input goes, with its doubt. By default inputs are held as last heard.

        Raises:
            SchemaError: the model or a constant does not fit.
        """
        if not name or any(c.isspace() or c in "/?#:" for c in name):
            raise SchemaError(
                f"{name!r} cannot name a twin: no spaces, none of '/', '?', '#', ':'."
            )
        self.name = name
        self.model: type | None = model if isinstance(model, type) else None
        """The declared class; None if a simulator was given."""
        self.simulator: Simulator | EngineModel = (
            compile_model(model) if isinstance(model, type) else model
        )
        self.members = members
        self.seed = seed
        step = self.schema.step
        self.horizon: Span = DEFAULT_HORIZON_STEPS * step if horizon is None else span(horizon)
        self.lateness: Span = span(lateness)
        self.remember: Span = max(step, span("1 s") if remember is None else span(remember))
        self.scoring = Scoring.declared(self.schema, leads, score, forecast_every)
        span_of_inputs = self._input_span(foresee_inputs)
        is_asked = self.scoring is not None or span_of_inputs is not None
        self.foresight = Foresight(self.scoring, span_of_inputs) if is_asked else _NOTHING_FORESEEN
        known = {n: self._const(n, v) for n, v in (consts or {}).items()}
        self._consts: Mapping[str, float] = known or _NOTHING_KNOWN
        self.alerts: Mapping[str, Alert] = _NOTHING_WATCHED
        """What it watches for, by name."""
        self._bindings: list[Binding] = []
        self._shown_first = tuple(self.schema.variable(each).name for each in show)
        self.scene: Scene | None = None
        """What its page draws of it; None where there is nothing but numbers."""
        self._actuations: Mapping[str, Actuation] = _NOTHING_SET
        self._conduct = _USUAL_CONDUCT
        self._questions: Answers | None = None
        self._futures: Futures | None = None
        self._plans: Callable[[str], PlansOfTwin] | None = None

    @property
    def schema(self) -> Schema:
        """What the model declares."""
        return self.simulator.schema

    @property
    def shown(self) -> tuple[str, ...]:
        """Its variables as they are shown.

        Those of ``show``, what sensors and virtual sensors read, then states, params and what
        drives.
        """
        schema = self.schema
        rest = (*schema.outputs, *schema.estimated, *schema.driven)
        return tuple(dict.fromkeys((*self._shown_first, *(v.name for v in rest))))

    def _input_span(self, told: str | None) -> int | None:
        if told is None:
            return None
        length, step = span(told), self.schema.step
        if not any(isinstance(v, Input) for v in self.schema.driven):
            raise SchemaError(f"{self.name} has no input that could be foreseen.")
        if length < step or length % step:
            raise SchemaError(
                f"Inputs of {self.name} are remembered over whole steps of {step / SECOND:g} s; "
                f"foresee_inputs = {told!r} is none."
            )
        return length // step

    @property
    def bindings(self) -> tuple[Binding, ...]:
        """What is bound, in the order of binding."""
        return tuple(self._bindings)

    def bind(
        self,
        channel: str,
        *,
        to: str,
        unit: str | None = None,
        noise: str | None = None,
        scale: float = 1.0,
        offset: float = 0.0,
        since: str | None = None,
    ) -> Twin:
        """Tie a channel to a sensor, an input or a control.

        Args:
            channel: ``link:channel``, as in ``scada:R80711/P_avg``.
            to: The variable's name.
            unit: Of the channel's numbers after ``scale`` and ``offset``; by default the
                variable's own.
            noise: Standard deviation of one reading, with its unit; by default the sensor's own.
            scale: What raw numbers are multiplied by first.
            offset: What is added then.
            since: Earlier readings of the channel are another sensor's and are not used.

        Returns:
            The twin, so that calls can be chained.

        Raises:
            SchemaError: no such variable, or the text cannot be read.
            UnitError: a unit does not fit.
        """
        link, colon, name = channel.partition(":")
        if not (colon and link and name):
            raise SchemaError(
                f"{channel!r} does not name a channel. Write link:channel, as in 'scada:T1/power'."
            )
        variable = self.schema.variable(to)
        if unit is not None:
            conversion(unit, variable.unit)
        binding = Binding(
            # Of a hundred thousand bindings to one link, one text is enough.
            series=Series(sys.intern(link), name),
            twin=self.name,
            variable=to,
            unit=unit,
            scale=scale,
            offset=offset,
            noise=None if noise is None else quantity(noise).within(variable.unit),
            since=None if since is None else instant(since),
        )
        channels_of(self.schema, self.name, [binding])
        self._bindings.append(binding)
        return self

    def draw(self, scene: Scene) -> Twin:
        """Have its page draw it so.

        Raises:
            SchemaError: the scene names a variable that is not there.
        """
        for mark in scene.ground.marks:
            for variable in mark.reads.values():
                self.schema.variable(variable)
        for signal in scene.signals:
            for control in signal.controls:
                self.schema.variable(control)
        self.scene = scene
        return self

    def watch(
        self,
        name: str,
        condition: str,
        *,
        within: str,
        likely: float = 0.5,
        every: str | None = None,
    ) -> Twin:
        """Warn when something may come, as in ``watch("flood", "level > 2 m", within="1 h")``.

        Args:
            name: Of the alert.
            condition: What is warned of.
            within: How far ahead is looked.
            likely: The chance from which on it is warned.
            every: How often it is asked; by default a sixth of ``within``.

        Returns:
            The twin, so that calls can be chained.

        Raises:
            SchemaError: it does not fit the model's grid, or there is one of the name.
            ConditionError, UnknownNameError, UnitError: the condition cannot be read.
        """
        if name in self.alerts:
            raise SchemaError(f"{self.name} watches for {name!r} already.")
        reach, step = span(within), self.schema.step
        pace = max(reach // 6 // step, 1) * step if every is None else span(every)
        watched = Alert(condition, reach, likely, pace)
        watched.checked(self.schema, name)
        self.alerts = {**self.alerts, name: watched}
        return self

    @property
    def actuations(self) -> Mapping[str, Actuation]:
        """By control: how it is set."""
        return self._actuations

    @property
    def conduct(self) -> Conduct:
        """How its plans are carried out."""
        return self._conduct

    def actuate(  # noqa: PLR0913 -- each is one word of the declaration, by keyword
        self,
        place: str,
        *,
        to: str,
        unit: str | None = None,
        least: str | None = None,
        most: str | None = None,
        rate: str | None = None,
        interlocks: Sequence[str] = (),
        tolerance: str | None = None,
        pace: str = "1 min",
    ) -> Twin:
        """Let plans set a control. Bind what its device reports, too: it is how the twin knows.

        Args:
            place: ``actuator:place``, as in ``plc:T2/yaw``.
            to: The control's name.
            unit: What the device counts in; by default the control's own.
            least: Smallest value that plans may set, with its unit, beside the declared bounds.
            most: Largest.
            rate: How far it may be moved within a time, as in ``"5 deg per 10 min"``.
            interlocks: What has to hold now, as in ``"P(wind > 25 m/s) < 0.05"``.
            tolerance: By how much the device may report another value than it was set to; by
                default a hundredth of the declared range.
            pace: Time between two commands of a ramp or a profile.

        Returns:
            The twin, so that calls can be chained.

        Raises:
            SchemaError: no such control, or the text cannot be read.
            UnitError: a unit does not fit.
        """
        made = actuation_of(
            self.schema,
            place,
            to=to,
            unit=unit,
            least=least,
            most=most,
            rate=rate,
            interlocks=interlocks,
            tolerance=tolerance,
            pace=pace,
        )
        if to in self._actuations:
            raise SchemaError(
                f"{to} of {self.name} is set by {self._actuations[to].place} already."
            )
        self._actuations = {**self._actuations, to: made}
        return self

    def conducted(  # noqa: PLR0913 -- each is one word of the declaration, by keyword
        self,
        *,
        approvers: Sequence[str] = (),
        role: str = "approver",
        four_eyes: bool = False,
        oldest_state: str = "10 min",
        watch: str = "30 min",
        settle: str = "10 s",
        answer_within: str = "5 s",
        lasting: str = "1 min",
    ) -> Twin:
        """Say how its plans are approved and carried out.

        Args:
            approvers: Names of those who may approve; by default whoever has the role.
            role: The least that an approver has to be: ``approver`` or ``admin``.
            four_eyes: Two different people have to approve, neither of whom made the plan.
            oldest_state: Nothing is done on a state, or on readings, older than this.
            watch: How long what happens is compared with the forecast after the last command.
            settle: How long a device may take until it reports what it was set to.
            answer_within: How long its answer is waited for, in the machine's time.
            lasting: How long a command that is due may still be sent.

        Raises:
            SettingsError: no such role, or a time that is none.
        """
        self._conduct = conduct_of(
            approvers=approvers,
            role=role,
            four_eyes=four_eyes,
            oldest_state=oldest_state,
            watch=watch,
            settle=settle,
            answer_within=answer_within,
            lasting=lasting,
        )
        return self

    def _const(self, name: str, value: float | str) -> float:
        variable = self.schema.variable(name)
        if isinstance(value, str):
            return quantity(value).within(variable.unit)
        if variable.unit not in {"", "1"}:
            raise SchemaError(
                f"The constant {name!r} has a unit: write '{value} {variable.unit}', not {value}."
            )
        return float(value)

    @property
    def enrolment(self) -> Enrolment:
        """For the fleet."""
        return Enrolment(self.name, self._consts, self.bindings)

    def cycle(self) -> Follows:
        """Its model with the default filter: serial square root, parameters cut off.

        What follows a step is compiled where numba is installed. An engine's state cannot be
        corrected: its twin is kept in step by a window that slides.
        """
        if isinstance(self.simulator, EngineModel):
            return self.simulator.cycle()
        schema = self.schema
        params = range(len(schema.states), len(schema.estimated))
        assimilator = SerialSquareRoot(tuple(params))
        simulator = self.simulator
        # Whoever keeps twins in step may have to stop while others still ask.
        mine = simulator.lent() if isinstance(simulator, HoldsProcesses) else simulator
        return Cycle(Stepper(mine), assimilator, analyst(assimilator, schema))

    def let_apply(self, plans: Callable[[str], PlansOfTwin] | None) -> None:
        """Called by the host: from now on its plans can be applied, or (None) no more."""
        self._plans = plans

    def attach(self, questions: Answers | None, futures: Futures | None) -> None:
        """Called by the host: from now on it can be asked, or (None) no more."""
        self._questions, self._futures = questions, futures

    def _asked(self) -> Answers:
        if self._questions is None:
            raise self._stopped()
        return self._questions

    def _stopped(self) -> StoppedError:
        return StoppedError(
            f"{self.name} is not running. Run it: `with gm.run(site): ...`, or ask a running "
            "site: gm.connect('http://127.0.0.1:8000')."
        )

    @property
    @override
    def scenarios(self) -> WhatIfs:
        """Its named forks: begin, list, ask, compare, cancel, drop."""
        if self._futures is None:
            raise self._stopped()
        return self._futures.scenarios(self.name)

    @property
    @override
    def optimisations(self) -> Searches:
        """Its searches for plans: begin, list, ask, cancel, drop."""
        if self._futures is None:
            raise self._stopped()
        return self._futures.optimisations(self.name)

    @property
    @override
    def hindcasts(self) -> Hindsight:
        """What it would have warned of: begin, list, ask, cancel, drop."""
        if self._futures is None:
            raise self._stopped()
        return self._futures.hindcasts(self.name)

    @override
    def warnings(self) -> Sequence[AlertStanding]:
        """How what it watches for stands, and how each alert has done so far."""
        if self._futures is None:
            raise self._stopped()
        return self._futures.warnings(self.name)

    @property
    @override
    def plans(self) -> PlansOfTwin:
        """Its plans: make, keep, list, approve, apply, give up, stop."""
        if self._plans is None:
            raise self._stopped()
        return self._plans(self.name)

    def now(self) -> Estimate:
        """What is held to be so at this moment of site time."""
        return self._asked().now(self.name)

    def at(
        self,
        when: When,
        *,
        known_by: When | None = None,
    ) -> Estimate:
        """What is held to have been so at ``when``, from readings up to then.

        ``known_by`` restricts it to what was known at that site time: what we believed then.
        """
        return self._asked().at(self.name, when, known_by=known_by)

    def forecast(self, until: str, *, every: str | None = None, raw: bool = False) -> Estimate:
        """Where it goes if nobody intervenes, from now to ``until`` ahead, as in ``"6 h"``.

        A twin with ``leads`` learns how its forecasts turn out: scored sensors are told as they
        will be read, corrected by that (``kind.corrected`` names them). ``raw`` leaves it out:
        what the ensemble says, equal to the twin itself while no reading comes.
        """
        return self._asked().forecast(self.name, until, every=every, raw=raw)

    def range(
        self,
        since: When,
        until: When,
        *,
        variables: Sequence[str] | None = None,
        known_by: When | None = None,
    ) -> Remembered:
        """Remembered means and spreads with ``since < valid_at <= until``."""
        return self._asked().range(self.name, since, until, variables=variables, known_by=known_by)

    def trust(self) -> Trust:
        """How well it is in step, and what that rests on."""
        return self._asked().trust(self.name)


def together(alike: Sequence[Twin], *, horizon: Span) -> Fleet:
    """One fleet of twins that differ in nothing but name, constants and bindings."""
    first = alike[0]
    return Fleet(
        first.cycle(),
        [twin.enrolment for twin in alike],
        members=first.members,
        seed=first.seed,
        horizon=horizon,
        foresight=first.foresight,
    )
