"""The status pages: plain HTML, rendered here, readable without any script.

The first one tells what waits for somebody and how each twin stands; every twin, scenario, search
and plan has one of its own. They are for reading: nothing on them acts.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from html import escape
from typing import Final, TypeAlias

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gemeos.act.undertaking import Stage, Undertaking
from gemeos.errors import GemeosError
from gemeos.runtime.plan import PLAN, PlanRecord, unpacked
from gemeos.schema.phase import Phase
from gemeos.serve import (
    markup,
    page_ledger,
    page_map,
    page_plans,
    page_scenarios,
    page_searches,
    page_signals,
    page_twin,
)
from gemeos.serve.markup import Html, badge, path, section, table
from gemeos.serve.problems import RETRY_AFTER_S, status_of
from gemeos.serve.routes.links import links_seen
from gemeos.serve.routes.operation import Served, actor_of
from gemeos.serve.view import RENEW_MS, SOON_MS, Page, View, changed, waits
from gemeos.timeline.base import Event
from gemeos.units.instant import SECOND, Span

MOST_TWINS: Final = 50
MOST_WAITING: Final = 20
NEWS: Final[Span] = 86_400 * SECOND
"""How long it is told first that a plan was undone, overridden or stopped."""
MOST_EVENTS: Final = 20
MOST_READ: Final = 100
"""Events that are read for those that are shown."""
MOST_REFUSED: Final = 5
SHORT_MODEL: Final = 8
_HASH: Final = re.compile(r"\b[0-9a-f]{20,}\b")
_ASTRAY: Final = {Phase.DRIFTING: "warn", Phase.BLIND: "bad"}

Drawn: TypeAlias = Callable[[View, Mapping[str, str]], Page]


def routes(served: Served) -> list[Route]:
    """All pages."""
    pages: Mapping[str, Drawn] = {
        "/": lambda view, _: overview(view),
        "/ledger": lambda view, _: page_ledger.page(view),
        "/twins/{twin}": lambda view, of: page_twin.page(view, of["twin"]),
        "/twins/{twin}/map": lambda view, of: page_map.page(view, of["twin"]),
        "/twins/{twin}/signals": lambda view, of: page_signals.page(view, of["twin"]),
        "/twins/{twin}/plans/{name}": lambda view, of: page_plans.page(
            view, of["twin"], of["name"]
        ),
        "/twins/{twin}/applied/{name}": lambda view, of: page_plans.applied_page(
            view, of["twin"], of["name"]
        ),
        "/twins/{twin}/scenarios/{name}": lambda view, of: page_scenarios.page(
            view, of["twin"], of["name"]
        ),
        "/twins/{twin}/optimisations/{name}": lambda view, of: page_searches.page(
            view, of["twin"], of["name"]
        ),
    }
    return [Route(at, _endpoint(served, drawn), methods=["GET"]) for at, drawn in pages.items()]


def _endpoint(served: Served, drawn: Drawn) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        of = {name: str(value) for name, value in request.path_params.items()}
        base = str(request.base_url).rstrip("/")
        view = View(served, actor_of(request), base, request.query_params.get("on"))

        def told() -> str:
            return _whole(view, drawn(view, of))

        try:
            if "twin" in of:
                view.actor.require_twin(of["twin"])
            with served.questions.one():
                host = served.host
                strand = host.strand(of["twin"]) if "twin" in of else host.compute
                text = await strand.beside(told)
        except GemeosError as error:
            return _refused(view, error)
        return Response(text, media_type="text/html")

    return endpoint


def _refused(view: View, error: GemeosError) -> Response:
    """The reason, as a page."""
    status = status_of(error)
    body = Html(
        f"<article><h1>This cannot be shown</h1>{markup.paragraph(str(error), 'note')}</article>"
    )
    headers = {"retry-after": str(RETRY_AFTER_S)} if status == 429 else None
    text = _whole(view, Page("not shown", body))
    return Response(text, status_code=status, media_type="text/html", headers=headers)


def _whole(view: View, page: Page) -> str:
    """The whole document."""
    site = view.host.site.name
    trail = "".join(f" / <a href='{escape(at)}'>{escape(name)}</a>" for name, at in page.trail)
    title = site if page.title == site else f"{page.title} - {site}"
    return (
        "<!doctype html>\n"
        '<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{escape(title)} - Gemeos</title>"
        '<link rel="stylesheet" href="/page/status.css">'
        '<link rel="icon" href="/page/icon.svg">'
        '<script src="/page/status.js" defer></script>'
        "</head><body><a class='skip' href='#main'>To the content</a>"
        f"<nav aria-label='Pages'><span><a href='/'>{escape(site)}</a>{trail}</span> "
        "<a href='/ledger'>Ledger</a> "
        f"<span class='who'>times of {escape(view.host.site.zone)}; "
        f"{escape(view.actor.name)}, {view.actor.role.value}</span> "
        "<span id='live' role='status'></span></nav>"
        f"<main id='main' data-renew-ms='{page.renew_ms}'>{_stopped(view)}{page.body}</main>"
        '<footer><a href="/openapi.json">OpenAPI</a> <a href="/api/site">site</a> '
        '<a href="/metrics">metrics</a></footer>'
        "</body></html>\n"
    )


def _stopped(view: View) -> str:
    """Every page says so first where nothing may be sent."""
    return "".join(
        f"<p class='stop'><b>Nothing is sent.</b> {escape(kill.told)} Since {view.time(kill.at)}. "
        f"{_release(view, kill.twin)}</p>"
        for kill in view.kills
    )


def _release(view: View, twin: str) -> Html:
    if twin:
        words = view.command("stop", "--twin", twin, "--release")
        return markup.joined(("An approver releases it: ", words))
    return markup.joined(("An approver releases it: ", markup.code("DELETE /api/kill")))


def overview(view: View) -> Page:
    """What waits for somebody, then every twin."""
    host, names = view.host, view.twins
    further = len(names) - MOST_TWINS
    waiting = _attention(view)
    is_busy = any(u.twin in names for u in host.applying.undertakings.under_way())
    body = (
        _header(view),
        section(
            "Waits for somebody",
            table("what waits for somebody", ("what", "of", "told", "since"), waiting, "waiting")
            if waiting
            else "",
            name="waiting",
            none="Nothing: no alert is on, no twin drifts or is blind, no plan waits or is sent.",
        ),
        *(page_twin.head(view, name, "h2") for name in names[:MOST_TWINS]),
        markup.joined((f"and {further} more twins: ", markup.link("/api/twins", "/api/twins")))
        if further > 0
        else "",
        _links(view),
        _events(view),
        _quarantine(view),
    )
    return Page(host.site.name, markup.joined(body), (), SOON_MS if is_busy else RENEW_MS)


def _header(view: View) -> Html:
    site = view.host.site
    notes = "".join(
        f"<p class='note'><b>{escape(head)}</b> {_typed(text)}</p>"
        for head, text in site.notes.items()
    )
    return Html(
        f"<header><h1>{escape(site.name)}</h1>"
        f"<p>{page_twin.source(site.source)} site time {view.time(view.now)} "
        f"({escape(site.zone)})</p>{notes}</header>"
    )


def _typed(text: str) -> str:
    """A note's text; what stands between backticks is to be typed."""
    pieces = text.split("`")
    if len(pieces) % 2 == 0:
        return escape(text)
    return "".join(
        markup.code(piece) if place % 2 else escape(piece) for place, piece in enumerate(pieces)
    )


def _attention(view: View) -> list[Sequence[str]]:
    """What somebody should look at, the most pressing first; a bounded number."""
    names = view.twins
    rows = [
        *_ended_badly(view, names),
        *_alerts(view, names),
        *_astray(view, names),
        *_under_way(view, names),
        *_waiting(view, names),
    ]
    return rows[:MOST_WAITING]


def _ended_badly(view: View, names: Iterable[str]) -> Iterator[Sequence[str]]:
    """Each twin's newest plan where it did not come to its end; what failed, for ever."""
    for name in names:
        known = view.host.applying.undertakings.all(name)
        newest = max(known, key=lambda each: each.begun_at, default=None)
        if newest is None or newest.stage in {Stage.UNDER_WAY, Stage.UNDOING, Stage.KEPT}:
            continue
        if newest.stage is Stage.FAILED or view.now - newest.begun_at <= NEWS:
            yield _undertaking(view, newest)


def _under_way(view: View, names: Sequence[str]) -> Iterator[Sequence[str]]:
    for each in view.host.applying.undertakings.under_way():
        if each.twin in names:
            yield _undertaking(view, each)


def _undertaking(view: View, told: Undertaking) -> Sequence[str]:
    at = path("twins", told.twin, "applied", told.plan)
    shown = told.reason or markup.joined(("watched until ", view.time(told.watch_until)))
    return (
        markup.joined(
            (
                badge(told.stage.value, page_plans.STAGES[told.stage]),
                " plan ",
                markup.link(told.name, at),
            )
        ),
        _twin(told.twin),
        shown,
        view.time(told.begun_at),
    )


def _alerts(view: View, names: Iterable[str]) -> Iterator[Sequence[str]]:
    for name in names:
        for each in view.host.alerts.of(name):
            if each.is_on or each.is_so:
                at = f"{path('twins', name)}#alerts"
                chance = "" if each.chance is None else f", chance {each.chance:.0%}"
                holds = "holds now" if each.is_so else "may come"
                told = (
                    f"{each.condition} {holds}{chance} within {markup.length(each.within)}; "
                    f"so far {each.hits} hits, {each.misses} misses, "
                    f"{each.false_alarms} false alarms"
                )
                yield (
                    markup.joined((badge("alert", "bad"), " ", markup.link(each.name, at))),
                    _twin(name),
                    told,
                    "-" if each.issued_at is None else view.time(each.issued_at),
                )


def _astray(view: View, names: Iterable[str]) -> Iterator[Sequence[str]]:
    for name in names:
        trust = view.host.questions.trust(name)
        if trust.phase in _ASTRAY:
            turned = view.host.timeline.events(twin=name, kind="phase", limit=1)
            yield (
                badge(trust.phase.value, _ASTRAY[trust.phase]),
                _twin(name),
                "what it tells is not to be relied on; it gives no advice and nothing is sent",
                view.time(turned[0].valid_at) if turned else "-",
            )


def _waiting(view: View, names: Sequence[str]) -> Iterator[Sequence[str]]:
    """Plans that somebody may decide on, of the newest ones."""
    stored = view.host.timeline.records(PLAN, newest=MOST_WAITING)
    for record in [unpacked(each, PlanRecord) for each in stored if each.twin in names][::-1]:
        if waits(view, record):
            plan = record.plan
            at = path("twins", plan.twin, "plans", plan.name)
            yield (
                markup.joined(
                    (page_plans.standing(view, record), " plan ", markup.link(plan.name, at))
                ),
                _twin(plan.twin),
                markup.joined(
                    (
                        changed(plan.changes),
                        "; promises ",
                        page_plans.promised(plan),
                        "; to be begun until ",
                        page_plans.until(view, plan),
                    )
                ),
                view.time(plan.made_at),
            )


def _twin(name: str) -> Html:
    return markup.link(name, path("twins", name))


def _links(view: View) -> Html:
    host = view.host
    rows = [
        (
            link.name,
            "finished"
            if host.has_ended(link.name)
            else "open"
            if host.link(link.name) is not None
            else "not connected",
        )
        for link in host.site.links
        if links_seen(view.served, view.actor, link.name)
    ]
    return section("Links", table("links", ("link", "state"), rows, "links") if rows else "")


def _events(view: View) -> Html:
    host = view.host
    asked: Iterable[str | None] = (None,) if view.actor.scope is None else view.twins
    found: list[Event] = [
        event for twin in asked for event in host.timeline.events(twin=twin, limit=MOST_READ)
    ]
    found.sort(key=lambda event: (event.valid_at, event.number), reverse=True)
    rows = [_event(view, run) for run in _runs(found[:MOST_READ])][:MOST_EVENTS]
    head = ("when", "twin", "what", "", "who")
    return section("Recent events", table("events", head, rows, "events") if rows else "")


def _runs(newest: Iterable[Event]) -> Iterator[list[Event]]:
    """Events one by one; changes of phase of one twin in a row together: they crowd out others."""
    run: list[Event] = []
    for event in newest:
        if run and run[0].kind == event.kind == "phase" and run[0].twin == event.twin:
            run.append(event)
            continue
        if run:
            yield run
        run = [event]
    if run:
        yield run


def _event(view: View, run: Sequence[Event]) -> Sequence[str]:
    event = run[0]
    told: str = ", ".join(
        f"{k} {_brief(k, v)}" for k, v in event.body.items() if v not in (None, "")
    )
    if len(run) > 1:
        since = view.time(run[-1].valid_at)
        changes = "1 further change" if len(run) == 2 else f"{len(run) - 1} further changes"
        told = markup.joined((told, f"; {changes} of phase since ", since))
    return (view.time(event.valid_at), event.twin, event.kind, told, event.actor)


def _brief(of: str, told: str | float) -> str:
    """Without the ends of hashes and of models' identities: ``/api/events`` has them whole."""
    if of == "model" and len(str(told)) > SHORT_MODEL:
        return f"{str(told)[:SHORT_MODEL]}…"
    return _HASH.sub(lambda found: f"{found[0][:8]}…", str(told))


def _quarantine(view: View) -> str:
    if view.actor.scope is not None:
        return ""
    timeline = view.host.timeline
    rows = [
        (view.time(row.received_at), row.link, row.channel, row.reason)
        for row in timeline.refused(limit=MOST_REFUSED)
    ]
    head = ("received", "link", "channel", "why")
    said = markup.joined(
        (
            f"{timeline.refused_count()} refused in all. ",
            markup.link("/api/quarantine", "/api/quarantine"),
        )
    )
    shown = table("quarantine", head, rows, "refused") if rows else ""
    return section("Quarantine", markup.joined((markup.paragraph(said), shown)))
