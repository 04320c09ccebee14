"""Questions about twins."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Final

from msgspec import Meta

from gemeos.ensemble.estimate import Estimate
from gemeos.errors import InputError, UnknownNameError
from gemeos.schema.part import Part, Relation
from gemeos.schema.schema import Schema
from gemeos.serve import messages as m
from gemeos.serve.routes.operation import (
    AskedNames,
    AskedSpan,
    AskedTime,
    Call,
    Operation,
    Query,
    listed,
)
from gemeos.serve.teller import part_message
from gemeos.units import span
from gemeos.units.instant import SECOND, Instant

FEW_STEPS: Final = 200
"""So many are taken without asking how long they take; they tell how long more would."""
_LOST_PLUS = re.compile(r"(.*:.*) (\d{2}:?\d{2})")


class TwinsQuery(Query, frozen=True, kw_only=True):
    """Which twins."""

    limit: Annotated[int, Meta(ge=1, le=1000)] = 100
    offset: Annotated[int, Meta(ge=0, le=10_000_000)] = 0


class EstimateQuery(Query, frozen=True, kw_only=True):
    """What is to be told of an estimate."""

    variables: AskedNames | None = None
    members: bool = False


class AtQuery(EstimateQuery, frozen=True, kw_only=True):
    """When."""

    when: AskedTime
    known_by: AskedTime | None = None


class ForecastQuery(EstimateQuery, frozen=True, kw_only=True):
    """How far and how fine."""

    until: AskedSpan
    every: AskedSpan | None = None
    raw: bool = False
    """True: what the ensemble says, without correction."""


class RangeQuery(Query, frozen=True, kw_only=True):
    """Which stretch: ``since < valid_at <= until``."""

    since: AskedTime
    until: AskedTime
    variables: AskedNames | None = None
    known_by: AskedTime | None = None


class ReadingsQuery(Query, frozen=True, kw_only=True):
    """Which stretch: ``since < valid_at <= until``."""

    since: AskedTime
    until: AskedTime


class PartsQuery(Query, frozen=True, kw_only=True):
    """Which parts; all that is given must fit."""

    type: str | None = None
    near: str | None = None
    feeds: str | None = None
    on: str | None = None
    where: (
        Annotated[
            str, Meta(description="A condition on the part's variables now, as in power > 1 MW.")
        ]
        | None
    ) = None
    at_least: Annotated[
        float, Meta(ge=0, le=1, description="With which probability `where` must hold.")
    ] = 0.5


def twins(call: Call[TwinsQuery]) -> m.TwinsMessage:
    """Those that may be seen."""
    names = call.served.visible(call.actor)
    first = call.query.offset
    tell = call.served.tell
    return m.TwinsMessage(
        total=len(names),
        twins=[tell.twin(name) for name in names[first : first + call.query.limit]],
    )


def schema(call: Call[Query]) -> m.SchemaMessage:
    """What it declares."""
    return call.served.tell.schema(call.twin)


def trust(call: Call[Query]) -> m.TrustMessage:
    """How well it is in step."""
    return call.served.tell.trust(call.served.host.questions.trust(call.twin))


def warnings(call: Call[Query]) -> m.WarningsMessage:
    """How what it watches for stands."""
    return call.served.tell.warnings(call.twin)


def now(call: Call[EstimateQuery]) -> m.EstimateMessage:
    """What it holds to be so."""
    return _estimate(call, call.served.host.questions.now(call.twin))


def at(call: Call[AtQuery]) -> m.EstimateMessage:
    """What it held, or holds, to have been so."""
    query, questions = call.query, call.served.host.questions
    by = None if query.known_by is None else _instant(call, query.known_by)
    return _estimate(call, questions.at(call.twin, _instant(call, query.when), known_by=by))


def forecast(call: Call[ForecastQuery]) -> m.EstimateMessage:
    """Where it goes."""
    until = span(call.query.until)
    every = None if call.query.every is None else span(call.query.every)
    _check_budget(call, until, every)
    return _estimate(call, _forecast(call, until, every))


def remembered(call: Call[RangeQuery]) -> m.RangeMessage:
    """What was held to be so, instant by instant."""
    query, host = call.query, call.served.host
    since, until = _instant(call, query.since), _instant(call, query.until)
    by = None if query.known_by is None else _instant(call, query.known_by)
    names = listed(query.variables)
    every = host.twin(call.twin).remember
    count = len(host.fleet(call.twin).schema.variables) if names is None else len(names)
    _check_rows(call, since, until, count / every, f"at a row every {every / SECOND:g} s")
    rows = host.questions.range(call.twin, since, until, variables=names, known_by=by)
    return call.served.tell.range(call.twin, rows)


def readings(call: Call[ReadingsQuery]) -> m.ReadingsMessage:
    """What its channels read."""
    host = call.served.host
    since, until = _instant(call, call.query.since), _instant(call, call.query.until)
    usual = [c.usual_interval for c in host.questions.trust(call.twin).channels]
    density = sum(1 / interval for interval in usual if interval)
    _check_rows(call, since, until, density, "at the usual intervals of its channels")
    return call.served.tell.readings(call.twin, host.questions.readings(call.twin, since, until))


def parts(call: Call[PartsQuery]) -> m.PartsMessage:
    """Parts by type, relation and value."""
    query, host = call.query, call.served.host
    of = host.fleet(call.twin).schema
    chosen = [part for part in of.parts if query.type in {None, part.type}]
    for fits in _relations(of, query):
        chosen = [part for part in chosen if fits(part)]
    likely: dict[str, float] | None = None
    if query.where is not None:
        likely = _likely(host.questions.now(call.twin), chosen, query.where)
        chosen = [part for part in chosen if likely.get(part.name, -1.0) >= query.at_least]
    return m.PartsMessage(
        twin=call.twin,
        parts=[part_message(of, p, None if likely is None else likely[p.name]) for p in chosen],
        source=host.site.source,
        staleness=call.served.tell.staleness_of(call.twin),
    )


def _relations(of: Schema, query: PartsQuery) -> Sequence[Callable[[Part], bool]]:
    """What the parts must fulfil.

    Raises:
        UnknownNameError: a part that is not there.
    """
    asked = (
        (query.near, Relation.NEAR, True),
        (query.feeds, Relation.FEEDS, False),
        (query.on, Relation.ON, False),
    )
    known = {part.name for part in of.parts}
    rules: list[Callable[[Part], bool]] = []
    for name, relation, both_ways in asked:
        if name is None:
            continue
        if name not in known:
            raise UnknownNameError("part", name, known, where=of.name)
        found = {r.source for r in of.related if r.relation is relation and r.target == name}
        if both_ways:
            found |= {r.target for r in of.related if r.relation is relation and r.source == name}
        rules.append(_among(found))
    return rules


def _among(names: set[str]) -> Callable[[Part], bool]:
    return lambda part: part.name in names


def _likely(estimate: Estimate, among: Sequence[Part], where: str) -> dict[str, float]:
    """Probability of the condition for each part that has its variables.

    Raises:
        UnknownNameError: none has.
    """
    likely: dict[str, float] = {}
    lacking: UnknownNameError | None = None
    told = {name.rpartition(".")[0] for name in estimate.variables}
    for part in (each for each in among if each.name in told):
        try:
            likely[part.name] = float(estimate.part(part.name).prob(where)[-1])
        except UnknownNameError as error:
            lacking = error
    if lacking is not None and not likely:
        raise lacking
    return likely


def _estimate(call: Call[Any], estimate: Estimate) -> m.EstimateMessage:
    return call.served.tell.estimate(
        estimate,
        variables=listed(call.query.variables),
        members=call.query.members,
        packed=call.packed,
    )


def _instant(call: Call[Any], text: str) -> Instant:
    # In an address '+' means a space; who types one by hand means the offset.
    lost = _LOST_PLUS.fullmatch(text)
    return call.served.host.site.instant(f"{lost[1]}+{lost[2]}" if lost else text)


def _forecast(call: Call[ForecastQuery], until: int, every: int | None) -> Estimate:
    """The forecast; how long it took tells what the next one may be asked for."""
    began = time.perf_counter()
    told = call.served.host.questions.forecast(call.twin, until, every=every, raw=call.query.raw)
    steps = until // call.served.host.fleet(call.twin).schema.step
    call.served.pace.measured(call.twin, steps, time.perf_counter() - began)
    return told


def _check_budget(call: Call[ForecastQuery], until: int, every: int | None) -> None:
    """Refuse a forecast that would hold a thread, or memory, for too long."""
    limits, fleet = call.served.limits, call.served.host.fleet(call.twin)
    step = fleet.schema.step
    steps = until // step
    values = until // max(every or step, step) * len(fleet.schema.variables) * fleet.members
    if values > limits.answer_values:
        raise InputError(
            f"The answer would hold {values} numbers, and may hold {limits.answer_values}: ask "
            "for a coarser 'every'."
        )
    if steps <= FEW_STEPS:
        return
    if call.served.pace.step_s(call.twin) is None:
        _forecast(call, FEW_STEPS * step, FEW_STEPS * step)
    takes_s = steps * (call.served.pace.step_s(call.twin) or 0.0)
    if takes_s > limits.forecast_s:
        most_s = until / SECOND * limits.forecast_s / takes_s
        raise InputError(
            f"{call.query.until} are {steps} steps, which would take about {takes_s:.0f} s here; "
            f"at most {limits.forecast_s:g} s are spent on one forecast: ask for at most "
            f"{most_s:.0f} s."
        )


def _check_rows(call: Call[Any], since: Instant, until: Instant, density: float, why: str) -> None:
    most = call.served.limits.rows
    if (until - since) * density > most:
        raise InputError(
            f"That may be {(until - since) * density:.0f} values {why}; one answer holds {most}. "
            f"Ask for at most {most / density / SECOND:.6g} s at once."
        )


_TWIN: Final = "/api/twins/{twin}"
OPERATIONS: Final = (
    Operation(
        "/api/twins",
        "listTwins",
        "Twins with phase and data age",
        twins,
        m.TwinsMessage,
        TwinsQuery,
    ),
    Operation(
        _TWIN,
        "readTwin",
        "What a twin declares: variables, parts, relations, bindings",
        schema,
        m.SchemaMessage,
        problems=(404,),
    ),
    Operation(
        f"{_TWIN}/parts",
        "findParts",
        "Parts by type, relation and value",
        parts,
        m.PartsMessage,
        PartsQuery,
        problems=(404, 409),
    ),
    Operation(
        f"{_TWIN}/now",
        "readNow",
        "What is held to be so at this moment of site time",
        now,
        m.EstimateMessage,
        EstimateQuery,
        problems=(404, 409),
    ),
    Operation(
        f"{_TWIN}/at",
        "readAt",
        "What is held to have been so, or with known_by what was believed then",
        at,
        m.EstimateMessage,
        AtQuery,
        problems=(404, 409),
    ),
    Operation(
        f"{_TWIN}/forecast",
        "forecast",
        "Where it goes if nobody intervenes",
        forecast,
        m.EstimateMessage,
        ForecastQuery,
        problems=(404, 409),
    ),
    Operation(
        f"{_TWIN}/range",
        "readRange",
        "Remembered means and spreads",
        remembered,
        m.RangeMessage,
        RangeQuery,
        problems=(404,),
    ),
    Operation(
        f"{_TWIN}/trust",
        "readTrust",
        "How well it is in step, and what that rests on",
        trust,
        m.TrustMessage,
        problems=(404,),
    ),
    Operation(
        f"{_TWIN}/warnings",
        "readWarnings",
        "How what it watches for stands, and how each alert has done",
        warnings,
        m.WarningsMessage,
        problems=(404,),
    ),
    Operation(
        f"{_TWIN}/readings",
        "readReadings",
        "Readings of the twin's channels",
        readings,
        m.ReadingsMessage,
        ReadingsQuery,
        problems=(404,),
    ),
)
