"""Signals: their limits, rules that keep them, plans, and what both are worth."""

from gemeos.twins.traffic.signals.checker import Kind, Violation, violations
from gemeos.twins.traffic.signals.inside import opened
from gemeos.twins.traffic.signals.junction import Controlled, controlled
from gemeos.twins.traffic.signals.limits import Limits, limits_of
from gemeos.twins.traffic.signals.rules import (
    Fixed,
    Pressure,
    Rule,
    Service,
    Wave,
    rule_of,
    written,
)

__all__ = [
    "Controlled",
    "Fixed",
    "Kind",
    "Limits",
    "Pressure",
    "Rule",
    "Service",
    "Violation",
    "Wave",
    "controlled",
    "limits_of",
    "opened",
    "rule_of",
    "violations",
    "written",
]
