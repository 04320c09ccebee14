"""Conditions that a twin watches for: declared once, asked again and again, judged by what came."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from gemeos.ensemble.condition import Condition, parse
from gemeos.errors import SchemaError
from gemeos.foresee.warn import WarningRecord, judged
from gemeos.schema.schema import Schema
from gemeos.schema.variable import Const
from gemeos.units import span_told
from gemeos.units.instant import Instant, Span

KIND: Final = "alert"
MOST_KEPT: Final = 10_000
"""Issues of one alert that are remembered, and turns; the newest."""


@dataclass(frozen=True, slots=True)
class Alert:
    """Warn when a condition may come to hold."""

    condition: str
    """As in ``level > 2 m``."""
    within: Span
    """How far ahead is looked."""
    likely: float
    """The chance from which on it is warned, 0..1."""
    every: Span
    """How often it is asked, at whole multiples of it in UTC."""

    def checked(self, schema: Schema, name: str) -> Condition:
        """The condition, read.

        Raises:
            SchemaError: the alert does not fit the model's grid, or is no alert.
            ConditionError, UnknownNameError, UnitError: the condition cannot be read.
        """
        for word, length in (("within", self.within), ("every", self.every)):
            if length < schema.step or length % schema.step:
                raise SchemaError(
                    f"The alert {name!r}: {word} is {span_told(length)}, and {schema.name} moves "
                    f"in steps of {span_told(schema.step)}: it takes a whole number of them."
                )
        if not 0.0 < self.likely <= 1.0:
            raise SchemaError(
                f"The alert {name!r} warns from a chance within 0 and 1 on; {self.likely} is none."
            )
        condition = parse(self.condition)
        condition.check({v.name: v.unit for v in schema.variables if not isinstance(v, Const)})
        return condition


@dataclass(frozen=True, slots=True)
class AlertRecord:
    """One alert of one twin: how it stands, and how it has done."""

    twin: str
    name: str
    condition: str
    within: Span
    likely: float
    model: str
    created: Instant
    """When it was first asked."""
    issued: tuple[Instant, ...] = ()
    chance: tuple[float, ...] = ()
    """At each issue, the share of members that come to it."""
    turned: tuple[Instant, ...] = ()
    """When it came to hold, as far as the twin could tell then, and when it ended, by turns; the
    first turn is to hold."""
    looked: Instant = 0
    """Up to when that is known."""

    @property
    def is_on(self) -> bool:
        """Whether it is warned at present."""
        return bool(self.chance) and self.chance[-1] >= self.likely

    @property
    def is_so(self) -> bool:
        """Whether it holds at present, as far as the twin can tell."""
        return len(self.turned) % 2 == 1

    def asked(self, at: Instant, chance: float) -> AlertRecord:
        """With one more issue, at its place: forks of two instants may end in another order."""
        place = bisect_left(self.issued, at)
        return replace(
            self,
            issued=(*self.issued[:place], at, *self.issued[place:])[-MOST_KEPT:],
            chance=(*self.chance[:place], chance, *self.chance[place:])[-MOST_KEPT:],
        )

    def seen(self, at: Instant, *, is_so: bool) -> AlertRecord:
        """With what is so at an instant behind those that were looked at."""
        if at <= self.looked:
            return self
        turned = (*self.turned, at) if is_so != self.is_so else self.turned
        # An even number is forgotten at once, so that the first turn stays one to hold.
        excess = max(len(turned) - MOST_KEPT, 0)
        return replace(self, turned=turned[excess + excess % 2 :], looked=at)

    def back_to(self, at: Instant) -> AlertRecord:
        """Without what was seen from ``at`` on: it is gone through again."""
        if self.looked < at:
            return self
        return replace(self, turned=self.turned[: bisect_left(self.turned, at)], looked=at - 1)

    def score(self) -> WarningRecord | None:
        """Hits, misses and false alarms so far; None before anything could be judged."""
        if not self.issued or self.looked <= self.issued[0]:
            return None
        start = min(self.issued[0], self.turned[0] if self.turned else self.issued[0]) - 1
        times = np.array([start, *self.turned, self.looked + 1], np.int64)
        is_so = np.arange(len(times)) % 2 == 1
        is_so[-1] = self.is_so
        return judged(
            np.array(self.issued),
            np.array(self.chance),
            times,
            is_so,
            within=self.within,
            likely=self.likely,
        )


@dataclass(frozen=True, slots=True)
class AlertStanding:
    """How an alert stands, and how it has done so far."""

    twin: str
    name: str
    condition: str
    within: Span
    likely: float
    is_on: bool
    """It is warned."""
    is_so: bool
    """The condition holds, as far as the twin can tell."""
    chance: float | None
    """At the newest issue; None before the first."""
    issued_at: Instant | None
    issues: int
    hits: int
    misses: int
    false_alarms: int
    median_lead: Span | None
    brier_skill: float | None

    @staticmethod
    def of(record: AlertRecord) -> AlertStanding:
        """As the record tells."""
        score = record.score()
        return AlertStanding(
            twin=record.twin,
            name=record.name,
            condition=record.condition,
            within=record.within,
            likely=record.likely,
            is_on=record.is_on,
            is_so=record.is_so,
            chance=record.chance[-1] if record.chance else None,
            issued_at=record.issued[-1] if record.issued else None,
            issues=len(record.issued),
            hits=0 if score is None else score.hits,
            misses=0 if score is None else score.misses,
            false_alarms=0 if score is None else score.false_alarms,
            median_lead=None if score is None else score.median_lead,
            brier_skill=None if score is None else score.brier_skill,
        )
