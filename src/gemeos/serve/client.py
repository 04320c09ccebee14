"""A running site from elsewhere: the same questions, answers and errors as in the same process."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self, TypeVar, final
from urllib.parse import quote, urlsplit

import httpx
import msgspec
from typing_extensions import override

from gemeos.ensemble.estimate import Estimate
from gemeos.errors import InputError, LinkError, UnknownNameError
from gemeos.runtime.alert import AlertStanding
from gemeos.runtime.asked import When
from gemeos.runtime.asks_what_if import AsksWhatIf
from gemeos.runtime.futures import Hindsight, Searches, WhatIfs
from gemeos.runtime.ledger_row import Ledger
from gemeos.runtime.phase import Phase
from gemeos.runtime.plan import Kill
from gemeos.runtime.planned import Applies, PlansOfTwin
from gemeos.runtime.remembered import Remembered
from gemeos.runtime.trust import Trust
from gemeos.serve import hear, tell_ledger
from gemeos.serve import messages as m
from gemeos.serve import plan_messages as pm
from gemeos.serve import site_messages as sm
from gemeos.serve.connected_hindcasts import ConnectedHindcasts
from gemeos.serve.connected_optimisations import ConnectedOptimisations
from gemeos.serve.connected_plans import ConnectedPlans, kill_of
from gemeos.serve.connected_scenarios import ConnectedScenarios
from gemeos.serve.ledger_messages import LedgerMessage
from gemeos.serve.problems import error_of
from gemeos.units import instant
from gemeos.units.instant import Instant

TIMEOUT_S: Final = 30.0
SILENCE_S: Final = 60.0
"""A stream that says nothing for longer, not even that it is still here, is broken."""
_MSGPACK: Final = "application/msgpack"

_T = TypeVar("_T", bound=m.Message)


@dataclass(frozen=True, slots=True)
class Change:
    """A twin after something changed, in short."""

    twin: str
    phase: Phase
    source: str
    now: Instant
    """Site time."""
    newest: Instant | None
    """When the newest reading was measured."""
    variables: Mapping[str, m.Held]
    """Its main variables with their doubt; none before there is an estimate."""


@final
class ConnectedTwin(AsksWhatIf, Applies):
    """One twin of a running site; the questions of ``gemeos.runtime.twin.Twin``."""

    def __init__(self, connection: Connection, name: str) -> None:
        self._connection = connection
        self.name = name

    @property
    @override
    def scenarios(self) -> WhatIfs:
        """Its named forks: begin, list, ask, compare, cancel, drop."""
        return ConnectedScenarios(self._connection, self.name)

    @property
    @override
    def optimisations(self) -> Searches:
        """Its searches for plans: begin, list, ask, cancel, drop."""
        return ConnectedOptimisations(self._connection, self.name)

    @property
    @override
    def hindcasts(self) -> Hindsight:
        """What it would have warned of: begin, list, ask, cancel, drop."""
        return ConnectedHindcasts(self._connection, self.name)

    @property
    @override
    def plans(self) -> PlansOfTwin:
        """Its plans: make, keep, list, approve, apply, give up, stop."""
        return ConnectedPlans(self._connection, self.name)

    def now(self) -> Estimate:
        """What is held to be so at this moment of site time."""
        return self._estimate("now", {})

    def at(self, when: When, *, known_by: When | None = None) -> Estimate:
        """What is held to have been so at ``when``, or with ``known_by`` what was believed then."""
        return self._estimate(
            "at", {"when": hear.when(when), "known_by": hear.maybe_when(known_by)}
        )

    def forecast(self, until: str, *, every: str | None = None, raw: bool = False) -> Estimate:
        """Where it goes if nobody intervenes, from now to ``until`` ahead, as in ``"6 h"``.

        ``raw`` leaves out the correction, as in ``Twin.forecast``.
        """
        return self._estimate(
            "forecast", {"until": until, "every": every, "raw": "true" if raw else None}
        )

    def range(
        self,
        since: When,
        until: When,
        *,
        variables: Sequence[str] | None = None,
        known_by: When | None = None,
    ) -> Remembered:
        """Remembered means and spreads with ``since < valid_at <= until``."""
        asked = {
            "since": hear.when(since),
            "until": hear.when(until),
            "variables": None if variables is None else ",".join(variables),
            "known_by": hear.maybe_when(known_by),
        }
        told = self._asked("range", asked, m.RangeMessage)
        return hear.rows(told, told.variables if variables is None else variables)

    def trust(self) -> Trust:
        """How well it is in step, and what that rests on."""
        return hear.trust(self._asked("trust", {}, m.TrustMessage))

    @override
    def warnings(self) -> Sequence[AlertStanding]:
        """How what it watches for stands, and how each alert has done so far."""
        return hear.warnings(self._asked("warnings", {}, m.WarningsMessage))

    def schema(self) -> m.SchemaMessage:
        """What it declares: variables, parts, relations, bindings."""
        return self._asked("", {}, m.SchemaMessage)

    def _estimate(self, question: str, asked: Mapping[str, str | None]) -> Estimate:
        told = self._asked(question, {**asked, "members": "true"}, m.EstimateMessage)
        return hear.estimate(told)

    def _asked(self, question: str, asked: Mapping[str, str | None], kind: type[_T]) -> _T:
        path = f"/api/twins/{quote(self.name, safe='')}"
        return self._connection.asked(f"{path}/{question}" if question else path, kind, **asked)


@final
class Connection:
    """A running site. May be used by several threads; ``close`` it, or use it as a block."""

    def __init__(self, url: str, *, token: str | None = None, timeout_s: float = TIMEOUT_S) -> None:
        """Nothing is asked yet."""
        told = urlsplit(url)
        if told.scheme not in {"http", "https"} or not told.hostname:
            raise InputError(
                f"{url!r} is not the address of a site. Write 'http://127.0.0.1:8000'."
            )
        self.url = url.rstrip("/")
        self._timeout_s = timeout_s
        # The environment's proxies are not asked: a site on this machine or in this house is not
        # behind them, and settings are read in the command line alone.
        self._http = httpx.Client(
            base_url=self.url,
            timeout=timeout_s,
            trust_env=False,
            headers={} if token is None else {"authorization": f"Bearer {token}"},
        )

    @property
    def names(self) -> tuple[str, ...]:
        """The twins that may be seen."""
        return tuple(self.site().twins)

    def __getitem__(self, name: str) -> ConnectedTwin:
        """The twin of that name.

        Raises:
            UnknownNameError: there is none.
        """
        if name in {"", ".", ".."} or "/" in name:
            # No path leads to such a name, so the site cannot be asked for it.
            site = self.site()
            raise UnknownNameError("twin", name, site.twins, where=site.name)
        twin = ConnectedTwin(self, name)
        twin.schema()
        return twin

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connection."""
        self._http.close()

    def site(self) -> sm.SiteMessage:
        """The site as it runs: its clock, links and twins."""
        return self.asked("/api/site", sm.SiteMessage)

    def stop_site(self, *, why: str = "") -> Kill:
        """Engage the kill switch of the whole site: nothing is sent to any twin's devices."""
        return kill_of(self.told("POST", "/api/kill", pm.KillMessage, {"why": why}))

    def release_site(self) -> bool:
        """Release it, and none of a twin's own; False where it was not engaged."""
        return self.told("DELETE", "/api/kill", pm.ReleasedMessage).released

    def stopped(self) -> Sequence[Kill]:
        """The kill switches that are engaged; that of the site names no twin."""
        return [kill_of(each) for each in self.asked("/api/kill", pm.KillsMessage).engaged]

    def quarantine(self, *, link: str | None = None, limit: int = 100) -> sm.QuarantineMessage:
        """What was refused, the newest first."""
        return self.asked("/api/quarantine", sm.QuarantineMessage, link=link, limit=str(limit))

    def events(
        self,
        *,
        twin: str | None = None,
        kind: str | None = None,
        since: When | None = None,
        limit: int = 100,
    ) -> sm.EventsMessage:
        """Changes and decisions, the newest first."""
        asked = {"twin": twin, "kind": kind, "since": hear.maybe_when(since), "limit": str(limit)}
        return self.asked("/api/events", sm.EventsMessage, **asked)

    def send(self, link: str, readings: Sequence[Mapping[str, object]]) -> m.TakenMessage:
        """Store readings; returns when they are durable.

        Args:
            link: A link of the kind ``http``.
            readings: Each with ``channel``, ``valid_at`` and ``value``, as in the reference.

        Raises:
            OverloadError, BusyError: nothing was taken; send it again later.
        """
        path = f"/api/links/{quote(link, safe='')}/readings"
        content = msgspec.json.encode(readings)
        headers = {"content-type": "application/json"}
        answer = self._answer("POST", path, content=content, headers=headers)
        if answer.status_code == httpx.codes.UNPROCESSABLE_ENTITY:
            # Nothing was taken, and the quarantine has it: that is what became of the readings.
            try:
                return msgspec.json.decode(answer.content, type=m.TakenMessage)
            except msgspec.MsgspecError:
                pass
        _check(answer)
        return msgspec.json.decode(answer.content, type=m.TakenMessage)

    def ledger(self) -> Ledger:
        """What applied plans of all twins promised, and what they delivered."""
        return tell_ledger.ledger_of(self.asked("/api/ledger", LedgerMessage))

    def changes(self, *twins: str) -> Iterator[Change]:
        """Every twin as it is, then each that changes; ends when the site stops.

        Args:
            twins: Names; by default all that may be seen.

        Raises:
            LinkError: the connection broke.
        """
        asked = {"twins": ",".join(twins)} if twins else {}
        timeout = httpx.Timeout(self._timeout_s, read=SILENCE_S)
        try:
            with self._http.stream("GET", "/api/stream", params=asked, timeout=timeout) as answer:
                if answer.is_error:
                    answer.read()
                _check(answer)
                for line in answer.iter_lines():
                    if line.startswith("data: "):
                        told = line.removeprefix("data: ")
                        yield _change(msgspec.json.decode(told, type=m.SummaryMessage))
        except httpx.HTTPError as error:
            raise LinkError(f"The stream of {self.url} broke: {error}.") from error

    def asked(self, path: str, kind: type[_T], **asked: str | None) -> _T:
        """The answer to a question.

        Raises:
            GemeosError: what the site raised, of the same class.
            LinkError: the site cannot be reached, or what answers is not Gemeos.
        """
        params = {name: value for name, value in asked.items() if value is not None}
        answer = self._answer("GET", path, params=params, headers={"accept": _MSGPACK})
        return self._read(answer, kind)

    def told(self, method: str, path: str, kind: type[_T], body: object | None = None) -> _T:
        """The answer to something that is sent, or to nothing but the method.

        Raises:
            As ``asked``.
        """
        content = None if body is None else msgspec.json.encode(body)
        headers = {"accept": _MSGPACK, "content-type": "application/json"}
        return self._read(self._answer(method, path, content=content, headers=headers), kind)

    def text(self, path: str, **asked: str | None) -> str:
        """The answer as it is sent to whoever takes JSON.

        Raises:
            As ``asked``.
        """
        params = {name: value for name, value in asked.items() if value is not None}
        answer = self._answer("GET", path, params=params)
        _check(answer)
        return answer.text

    def file(self, path: str) -> bytes:
        """A file, as it is.

        Raises:
            As ``asked``.
        """
        answer = self._answer("GET", path)
        _check(answer)
        return answer.content

    def _read(self, answer: httpx.Response, kind: type[_T]) -> _T:
        _check(answer)
        try:
            return msgspec.msgpack.decode(answer.content, type=kind)
        except msgspec.MsgspecError as error:
            raise LinkError(f"{self.url} answers what this Gemeos cannot read: {error}.") from error

    def _answer(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        try:
            return self._http.request(method, path, params=params, content=content, headers=headers)
        except httpx.TimeoutException as error:
            raise LinkError(f"{self.url} did not answer in time.") from error
        except httpx.HTTPError as error:
            raise LinkError(f"{self.url} cannot be reached: {error}. Is it running?") from error


def connect(url: str, *, token: str | None = None, timeout_s: float = TIMEOUT_S) -> Connection:
    """A running site, as in ``connect("http://127.0.0.1:8000")["seohae"].now()``.

    Args:
        url: Its address.
        token: The secret that ``gemeos token`` showed; on the machine itself none is needed.
        timeout_s: How long an answer may take.
    """
    return Connection(url, token=token, timeout_s=timeout_s)


def _check(answer: httpx.Response) -> None:
    """Raise what the site raised."""
    if not answer.is_error:
        return
    try:
        problem = msgspec.json.decode(answer.content, type=m.Problem)
    except msgspec.MsgspecError as error:
        raise LinkError(
            f"{answer.url.copy_with(query=None)} answers {answer.status_code}, and is no Gemeos."
        ) from error
    raise error_of(problem, answer.status_code)


def _change(told: m.SummaryMessage) -> Change:
    until = told.staleness.data_until
    return Change(
        twin=told.twin,
        phase=Phase(told.phase),
        source=told.source,
        now=instant(told.staleness.now),
        newest=None if until is None else instant(until),
        variables=told.variables,
    )
