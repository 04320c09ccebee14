"""Answers of one running site, in its zone and as of now."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from gemeos.ensemble.estimate import Estimate
from gemeos.ensemble.marginal import Marginal
from gemeos.errors import AssimilationError
from gemeos.runtime.host import Host
from gemeos.runtime.trust import Trust
from gemeos.schema.part import Part, Relation
from gemeos.schema.reading import Quality, Readings, Refused
from gemeos.schema.schema import Schema
from gemeos.schema.variable import Control, Param, Sensor, State, Variable
from gemeos.serve import messages as m
from gemeos.serve import site_messages as sm
from gemeos.serve import tell
from gemeos.timeline.base import Event, SummaryRows
from gemeos.units import iso
from gemeos.units import zone as zone_named
from gemeos.units.instant import SECOND, Instant

MOST_SUMMARISED: Final = 8
"""Variables of a twin in an event of the stream."""


@dataclass(frozen=True, slots=True)
class Teller:
    """Puts answers of one site into its zone."""

    host: Host

    @property
    def _zone(self) -> dt.tzinfo:
        return zone_named(self.host.site.zone)

    def time(self, when: Instant) -> str:
        """ISO 8601 in the site's zone."""
        return iso(when, zone=self._zone)

    def staleness(self, data_until: Instant | None) -> m.Staleness:
        """As of now, site time."""
        return tell.staleness(self.host.clock.now(), data_until, self._zone)

    def staleness_of(self, twin: str) -> m.Staleness:
        """Of what is known of the twin."""
        return self.staleness(self.host.questions.trust(twin).newest)

    def estimate(
        self,
        estimate: Estimate,
        *,
        variables: Sequence[str] | None = None,
        members: bool = False,
        packed: bool = False,
    ) -> m.EstimateMessage:
        """Of ``variables``, by default all, as of now."""
        now = self.host.clock.now()
        return tell.estimate_message(
            estimate, now=now, variables=variables, members=members, packed=packed
        )

    def warnings(self, twin: str) -> m.WarningsMessage:
        """How the alerts of a twin stand."""
        return m.WarningsMessage(
            twin=twin,
            warnings=[
                m.WarningMessage(
                    name=each.name,
                    condition=each.condition,
                    within_s=each.within / SECOND,
                    likely=each.likely,
                    is_on=each.is_on,
                    is_so=each.is_so,
                    chance=each.chance,
                    issued_at=None if each.issued_at is None else self.time(each.issued_at),
                    issues=each.issues,
                    hits=each.hits,
                    misses=each.misses,
                    false_alarms=each.false_alarms,
                    median_lead_s=None if each.median_lead is None else each.median_lead / SECOND,
                    brier_skill=each.brier_skill,
                )
                for each in self.host.alerts.of(twin)
            ],
            source=self.host.site.source,
            staleness=self.staleness_of(twin),
        )

    def range(self, twin: str, rows: SummaryRows) -> m.RangeMessage:
        """Remembered rows."""
        schema = self.host.fleet(twin).schema
        told = {}
        for place, name in enumerate(rows.variable):
            q05, q25, q50, q75, q95 = rows.quantiles[:, place, :].T
            told[name] = m.Numbers(
                unit=schema.variable(name).unit,
                mean=tell.series(rows.mean[:, place]),
                sd=tell.series(rows.sd[:, place]),
                q05=tell.series(q05),
                q25=tell.series(q25),
                q50=tell.series(q50),
                q75=tell.series(q75),
                q95=tell.series(q95),
            )
        return m.RangeMessage(
            twin=twin,
            zone=self.host.site.zone,
            times=tell.times_told(rows.valid_at, self._zone),
            variables=told,
            source=self.host.site.source,
            staleness=self.staleness_of(twin),
        )

    def trust(self, trust: Trust) -> m.TrustMessage:
        """How well a twin is in step."""
        schema = self.host.fleet(trust.twin).schema
        units = {c.variable: schema.variable(c.variable).unit for c in trust.channels}
        return tell.trust_message(trust, zone=self.host.site.zone, units=units)

    def twin(self, name: str) -> m.TwinMessage:
        """One line of the list."""
        trust = self.host.questions.trust(name)
        return m.TwinMessage(
            name=name,
            model=self.host.fleet(name).schema.name,
            phase=trust.phase.value,
            members=trust.members,
            source=trust.source,
            staleness=self.staleness(trust.newest),
        )

    def schema(self, twin: str) -> m.SchemaMessage:
        """What the twin declares."""
        trust = self.host.questions.trust(twin)
        schema = self.host.fleet(twin).schema
        return m.SchemaMessage(
            twin=twin,
            model=schema.name,
            phase=trust.phase.value,
            members=trust.members,
            step_s=schema.step_s,
            zone=self.host.site.zone,
            variables=[_variable(v) for v in schema.variables],
            shown=list(self.host.twin(twin).shown),
            parts=[part_message(schema, p) for p in schema.parts],
            relations=[
                m.RelationMessage(source=r.source, relation=r.relation.value, target=r.target)
                for r in schema.related
            ],
            bindings=[
                m.BindingMessage(
                    channel=str(b.series),
                    variable=b.variable,
                    unit=schema.variable(b.variable).unit if b.unit is None else b.unit,
                )
                for b in self.host.twin(twin).bindings
            ],
            source=trust.source,
            staleness=self.staleness(trust.newest),
        )

    def readings(self, twin: str, readings: Readings) -> m.ReadingsMessage:
        """Readings of the twin's channels."""
        book = self.host.timeline.book
        schema = self.host.fleet(twin).schema
        bound = {b.series: b.variable for b in self.host.twin(twin).bindings}
        channels = [book.series(n) for n in readings.series.tolist()]
        variables = [bound[series] for series in channels]
        return m.ReadingsMessage(
            twin=twin,
            channel=[str(series) for series in channels],
            valid_at=tell.times_told(readings.valid_at, self._zone),
            valid_from=tell.times_told(readings.valid_from, self._zone),
            value=tell.series(readings.value),
            unit=[schema.variable(v).unit for v in variables],
            variable=variables,
            sample=readings.sample.tolist(),
            revision=readings.revision.tolist(),
            quality=[Quality(q).name.lower() for q in readings.quality.tolist()],
            source=self.host.site.source,
            staleness=self.staleness_of(twin),
        )

    def event(self, event: Event) -> sm.EventMessage:
        """A change or a decision."""
        return sm.EventMessage(
            number=event.number,
            kind=event.kind,
            twin=event.twin,
            valid_at=self.time(event.valid_at),
            known_at=self.time(event.known_at),
            actor=event.actor,
            cause=event.cause,
            body=dict(event.body),
        )

    def refused(self, row: Refused) -> sm.RefusedMessage:
        """One row of the quarantine."""
        return sm.RefusedMessage(
            link=row.link,
            channel=row.channel,
            reason=row.reason,
            payload=row.payload.decode("utf-8", "backslashreplace"),
            size=row.size,
            received_at=self.time(row.received_at),
        )

    def summary(self, twin: str) -> m.SummaryMessage:
        """The twin in short."""
        trust = self.host.questions.trust(twin)
        note: str | None = None
        held: dict[str, m.Held] = {}
        try:
            estimate = self.host.questions.now(twin)
        except AssimilationError as error:
            note = str(error)
        else:
            names = self.host.twin(twin).shown[:MOST_SUMMARISED]
            held = {name: _held(estimate[name]) for name in names}
        return m.SummaryMessage(
            twin=twin,
            phase=trust.phase.value,
            source=trust.source,
            staleness=self.staleness(trust.newest),
            variables=held,
            note=note,
        )


def part_message(schema: Schema, part: Part, probability: float | None = None) -> m.PartMessage:
    """A part with its variables, and the parts that it feeds, lies on, is near to."""

    def related(relation: Relation) -> list[str]:
        return [
            r.target for r in schema.related if r.relation is relation and r.source == part.name
        ]

    # Near is near from both sides.
    near = [
        r.source for r in schema.related if r.relation is Relation.NEAR and r.target == part.name
    ]
    return m.PartMessage(
        name=part.name,
        type=part.type,
        place=dict(part.place),
        variables=[v.name for v in schema.variables if v.name.rpartition(".")[0] == part.name],
        feeds=related(Relation.FEEDS),
        on=related(Relation.ON),
        near=list(dict.fromkeys([*related(Relation.NEAR), *near])),
        probability=probability,
    )


def _variable(variable: Variable) -> m.VariableMessage:
    least, most = variable.bounds if isinstance(variable, State | Param | Control) else (None, None)
    sensor = variable if isinstance(variable, Sensor) else None
    return m.VariableMessage(
        name=variable.name,
        role=type(variable).__name__.lower(),
        unit=variable.unit,
        least=least,
        most=most,
        measure=None if sensor is None else sensor.measure.value,
        over_s=None if sensor is None else sensor.over,
        choices=variable.choices if isinstance(variable, Control) else (),
    )


def _held(marginal: Marginal) -> m.Held:
    return m.Held(
        unit=marginal.unit,
        mean=tell.plain(marginal.mean[-1]),
        sd=tell.plain(marginal.sd[-1]),
        q05=tell.plain(marginal.quantile(0.05)[-1]),
        q95=tell.plain(marginal.quantile(0.95)[-1]),
    )
