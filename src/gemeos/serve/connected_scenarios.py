"""The scenarios of one twin of a running site from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import final

from typing_extensions import override

from gemeos.ensemble.compare import Comparison, compare
from gemeos.ensemble.estimate import Estimate
from gemeos.runtime.asked import LONGEST_WAIT_S, ScenarioQuestion
from gemeos.runtime.futures import WhatIfs
from gemeos.runtime.scenario import Progress, ScenarioRecord
from gemeos.schema.intervention import Written, as_written, changes
from gemeos.serve import hear
from gemeos.serve import messages as m
from gemeos.serve import scenario_messages as sm
from gemeos.serve.connected_named import Asks, ConnectedNamed, waited
from gemeos.units import instant


@final
class ConnectedScenarios(ConnectedNamed[ScenarioRecord, sm.ScenarioMessage], WhatIfs):
    """See ``gemeos.runtime.futures.WhatIfs``."""

    def __init__(self, connection: Asks, twin: str) -> None:
        """``connection`` to the site."""
        super().__init__(connection, twin, "scenarios", sm.ScenarioMessage)

    @override
    def _record(self, told: sm.ScenarioMessage) -> ScenarioRecord:
        return _record(told)

    @override
    def _listed(self) -> Sequence[sm.ScenarioMessage]:
        return self._connection.asked(self._path, sm.ScenariosMessage).scenarios

    @override
    def _done(self, told: sm.ScenarioMessage) -> float:
        return told.done

    @override
    def ask(self, question: ScenarioQuestion) -> ScenarioRecord:
        """See ``WhatIfs``."""
        body = {
            "name": question.name,
            "changes": _written(question.changes),
            "until": hear.length(question.until),
            "every": hear.maybe_length(question.every),
            "members": question.members,
            "at": hear.maybe_when(question.at),
            "known_by": hear.maybe_when(question.known_by),
            "budget": hear.maybe_length(question.budget),
            "replacing": question.replacing,
        }
        return self._begun(body)

    def estimate(
        self, name: str, *, early: bool = False, wait_s: float = LONGEST_WAIT_S
    ) -> Estimate:
        """See ``WhatIfs``."""
        asked = {"members": "true", "early": "true" if early else None}

        def answer() -> Estimate:
            path = f"{self._one(name)}/estimate"
            return hear.estimate(self._connection.asked(path, m.EstimateMessage, **asked))

        return answer() if early else waited(answer, wait_s)

    def compare(
        self, name: str, *, on: str, against: str | None = None, wait_s: float = LONGEST_WAIT_S
    ) -> Comparison:
        """See ``WhatIfs``."""
        asked = {"on": on, "against": against, "members": "true"}

        def answer() -> Comparison:
            path = f"{self._one(name)}/compare"
            told = self._connection.asked(path, sm.ComparisonMessage, **asked)
            # Both come with their members, so that the difference is made here as it is there.
            return compare(hear.estimate(told.before), hear.estimate(told.after), on=on)

        return waited(answer, wait_s)


def _written(told: Mapping[str, Written]) -> dict[str, str]:
    """As text; what is text already is the site's to read, so that it tells what is wrong."""
    return {
        name: each if isinstance(each, str) else as_written(changes({name: each}))[name]
        for name, each in told.items()
    }


def _record(told: sm.ScenarioMessage) -> ScenarioRecord:
    return ScenarioRecord(
        twin=told.twin,
        name=told.name,
        changes=told.changes,
        forked_at=instant(told.forked_at),
        known_at=instant(told.known_at),
        until=hear.span_of(told.until_s),
        every=hear.span_of(told.every_s),
        members=told.members,
        budget=None if told.budget_s is None else hear.span_of(told.budget_s),
        model=told.model,
        origin=told.origin,
        actor=told.actor,
        created=instant(told.created),
        progress=Progress(told.progress),
        ran=told.ran,
        failed=told.failed,
        slow=told.slow,
        slow_beside=told.slow_beside,
        took=hear.span_of(told.took_s),
        digest=told.digest,
        reason=told.reason,
    )
