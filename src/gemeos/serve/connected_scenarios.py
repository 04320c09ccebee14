"""The scenarios of one twin of a running site from elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol, TypeVar, final
from urllib.parse import quote

from gemeos.ensemble.compare import Comparison, compare
from gemeos.ensemble.estimate import Estimate
from gemeos.errors import NotReadyError
from gemeos.runtime.asked import LONGEST_WAIT_S, When
from gemeos.runtime.scenario import Progress, ScenarioRecord
from gemeos.schema.intervention import Written, as_written, changes
from gemeos.serve import hear
from gemeos.serve import messages as m
from gemeos.serve import scenario_messages as sm
from gemeos.units import instant

FIRST_PAUSE_S: Final = 0.05
LONGEST_PAUSE_S: Final = 1.0
"""Between two questions whether it is ready."""

_T = TypeVar("_T", bound=m.Message)
_Told = TypeVar("_Told")


class Asks(Protocol):
    """What a connection can do."""

    def asked(self, path: str, kind: type[_T], **asked: str | None) -> _T:
        """The answer to a question."""
        ...

    def told(self, method: str, path: str, kind: type[_T], body: object | None = None) -> _T:
        """The answer to something that is sent."""
        ...


@final
class ConnectedScenarios:
    """See ``gemeos.runtime.asked.WhatIfs``."""

    def __init__(self, connection: Asks, twin: str) -> None:
        """``connection`` to the site."""
        self._connection = connection
        self._path = f"/api/twins/{quote(twin, safe='')}/scenarios"

    def begin(  # noqa: PLR0913 -- as the protocol
        self,
        name: str,
        changes: Mapping[str, Written] | None = None,
        *,
        until: str,
        every: str | None = None,
        members: int | None = None,
        at: When | None = None,
        known_by: When | None = None,
        budget: str | None = None,
        replacing: bool = False,
    ) -> ScenarioRecord:
        """See ``WhatIfs``."""
        body = {
            "name": name,
            "changes": _written(changes or {}),
            "until": until,
            "every": every,
            "members": members,
            "at": hear.maybe_when(at),
            "known_by": hear.maybe_when(known_by),
            "budget": budget,
            "replacing": replacing,
        }
        return _record(self._connection.told("POST", self._path, sm.ScenarioMessage, body))

    def all(self) -> Sequence[ScenarioRecord]:
        """See ``WhatIfs``."""
        told = self._connection.asked(self._path, sm.ScenariosMessage)
        return [_record(each) for each in told.scenarios]

    def record(self, name: str) -> ScenarioRecord:
        """See ``WhatIfs``."""
        return _record(self._connection.asked(self._one(name), sm.ScenarioMessage))

    def progress(self, name: str) -> float:
        """See ``WhatIfs``."""
        return self._connection.asked(self._one(name), sm.ScenarioMessage).done

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

    def cancel(self, name: str) -> ScenarioRecord:
        """See ``WhatIfs``."""
        path = f"{self._one(name)}/cancel"
        return _record(self._connection.told("POST", path, sm.ScenarioMessage, {}))

    def drop(self, name: str) -> None:
        """See ``WhatIfs``."""
        self._connection.told("DELETE", self._one(name), sm.DroppedMessage)

    def _one(self, name: str) -> str:
        return f"{self._path}/{quote(name, safe='')}"


def waited(answer: Callable[[], _Told], wait_s: float) -> _Told:
    """The answer as soon as it is ready.

    Raises:
        NotReadyError: it was not in time.
    """
    end, pause = time.monotonic() + wait_s, FIRST_PAUSE_S
    while True:
        try:
            return answer()
        except NotReadyError:
            if time.monotonic() + pause > end:
                raise
        time.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE_S)


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
        took=hear.span_of(told.took_s),
        digest=told.digest,
        reason=told.reason,
    )
