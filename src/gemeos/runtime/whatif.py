"""The scenarios, optimisations and hindcasts of one twin in this process."""

from __future__ import annotations

from abc import ABC
from collections.abc import Sequence
from typing import Any, Generic, TypeVar, final

from typing_extensions import override

from gemeos.ensemble.compare import Comparison
from gemeos.ensemble.estimate import Estimate
from gemeos.runtime.alert import AlertStanding
from gemeos.runtime.alerts import Alerts
from gemeos.runtime.asked import (
    LONGEST_WAIT_S,
    HindcastQuestion,
    ScenarioQuestion,
    SearchQuestion,
)
from gemeos.runtime.futures import Hindsight, Searches, WhatIfs
from gemeos.runtime.hindcast_record import HindcastRecord
from gemeos.runtime.hindcasts import Hindcasts
from gemeos.runtime.named import NamedWork, Pursued
from gemeos.runtime.optimisation import OptimisationRecord
from gemeos.runtime.optimisations import Optimisations
from gemeos.runtime.scenario import ScenarioRecord
from gemeos.runtime.scenarios import Scenarios

_R = TypeVar("_R", bound=Pursued)


class _Named(ABC, Generic[_R]):
    """What one twin's scenarios, optimisations and hindcasts have in common."""

    def __init__(self, work: NamedWork[_R, Any], twin: str) -> None:
        """``work`` of the site."""
        self._work, self._twin = work, twin

    def all(self) -> Sequence[_R]:
        """Every one, the oldest first."""
        return self._work.all(self._twin)

    def record(self, name: str, *, wait_s: float | None = None) -> _R:
        """What one is, and how far; with ``wait_s`` when it is over."""
        return self._work.record(self._twin, name, wait_s=wait_s)

    def progress(self, name: str) -> float:
        """How much of it is done, 0..1."""
        return self._work.fraction(self._twin, name)

    def cancel(self, name: str) -> _R:
        """End it."""
        return self._work.cancel(self._twin, name)

    def drop(self, name: str) -> None:
        """Delete it."""
        self._work.drop(self._twin, name)


@final
class TwinScenarios(_Named[ScenarioRecord], WhatIfs):
    """Those of one twin of a site; see ``WhatIfs``."""

    def __init__(self, scenarios: Scenarios, twin: str) -> None:
        """``scenarios`` of the site."""
        super().__init__(scenarios, twin)
        self._all = scenarios

    @override
    def ask(self, question: ScenarioQuestion) -> ScenarioRecord:
        """See ``WhatIfs``."""
        return self._all.begin(self._twin, question)

    def estimate(
        self, name: str, *, early: bool = False, wait_s: float = LONGEST_WAIT_S
    ) -> Estimate:
        """See ``WhatIfs``."""
        return self._all.estimate(self._twin, name, early=early, wait_s=wait_s)

    def compare(
        self, name: str, *, on: str, against: str | None = None, wait_s: float = LONGEST_WAIT_S
    ) -> Comparison:
        """See ``WhatIfs``."""
        return self._all.compare(self._twin, name, on=on, against=against, wait_s=wait_s)


@final
class TwinOptimisations(_Named[OptimisationRecord], Searches):
    """Those of one twin of a site; see ``Searches``."""

    def __init__(self, optimisations: Optimisations, twin: str) -> None:
        """``optimisations`` of the site."""
        super().__init__(optimisations, twin)
        self._all = optimisations

    @override
    def ask(self, question: SearchQuestion) -> OptimisationRecord:
        """See ``Searches``."""
        return self._all.begin(self._twin, question)


@final
class TwinHindcasts(_Named[HindcastRecord], Hindsight):
    """Those of one twin of a site; see ``Hindsight``."""

    def __init__(self, hindcasts: Hindcasts, twin: str) -> None:
        """``hindcasts`` of the site."""
        super().__init__(hindcasts, twin)
        self._all = hindcasts

    @override
    def ask(self, question: HindcastQuestion) -> HindcastRecord:
        """See ``Hindsight``."""
        return self._all.begin(self._twin, question)


@final
class TwinWhatIfs:
    """All of them, of every twin of a site."""

    def __init__(
        self,
        scenarios: Scenarios,
        optimisations: Optimisations,
        hindcasts: Hindcasts,
        alerts: Alerts,
    ) -> None:
        """Of the site."""
        self._scenarios, self._optimisations = scenarios, optimisations
        self._hindcasts, self._alerts = hindcasts, alerts

    def warnings(self, twin: str) -> Sequence[AlertStanding]:
        """How the alerts of a twin stand."""
        return self._alerts.of(twin)

    def hindcasts(self, twin: str) -> Hindsight:
        """The hindcasts of a twin."""
        return TwinHindcasts(self._hindcasts, twin)

    def scenarios(self, twin: str) -> WhatIfs:
        """The scenarios of a twin."""
        return TwinScenarios(self._scenarios, twin)

    def optimisations(self, twin: str) -> Searches:
        """The optimisations of a twin."""
        return TwinOptimisations(self._optimisations, twin)
