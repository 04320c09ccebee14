"""Signals: their limits, rules that keep them, plans, and what both are worth."""

from gemeos.twins.traffic.signals.checker import Kind, Violation, violations
from gemeos.twins.traffic.signals.inside import opened
from gemeos.twins.traffic.signals.junction import Controlled, controlled
from gemeos.twins.traffic.signals.limits import Limits, limits_of
from gemeos.twins.traffic.signals.optimise import Advice, optimise_now, tuned
from gemeos.twins.traffic.signals.rules import (
    Fixed,
    Ordered,
    Pressure,
    Rule,
    Service,
    Timed,
    Wave,
    rule_of,
    written,
)
from gemeos.twins.traffic.signals.tune import Choices, Cycles, Greens, Numbers

__all__ = [
    "Advice",
    "Choices",
    "Controlled",
    "Cycles",
    "Fixed",
    "Greens",
    "Kind",
    "Limits",
    "Numbers",
    "Ordered",
    "Pressure",
    "Rule",
    "Service",
    "Timed",
    "Violation",
    "Wave",
    "controlled",
    "limits_of",
    "opened",
    "optimise_now",
    "rule_of",
    "tuned",
    "violations",
    "written",
]
