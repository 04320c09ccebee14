"""The status page: plain HTML, rendered here, readable without any script."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from html import escape
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from gemeos.ensemble.estimate import Estimate
from gemeos.ensemble.marginal import told
from gemeos.errors import AssimilationError
from gemeos.foresee.score import Against
from gemeos.runtime.host import Host
from gemeos.runtime.trust import ChannelTrust, Trust
from gemeos.schema.schema import Schema
from gemeos.serve.auth import Actor
from gemeos.serve.routes.links import links_seen
from gemeos.serve.routes.operation import Served, actor_of
from gemeos.serve.teller import Teller
from gemeos.timeline.base import Event
from gemeos.units.instant import SECOND, Instant, Span

MOST_TWINS: Final = 50
MOST_VARIABLES: Final = 12
MOST_CHANNELS: Final = 40
MOST_SCORES: Final = 24
MOST_EVENTS: Final = 20
MOST_REFUSED: Final = 5
_UNITS: Final = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def endpoint(served: Served) -> Callable[[Request], Awaitable[Response]]:
    """The page's route."""

    async def status_page(request: Request) -> Response:
        actor = actor_of(request)
        with served.questions.one():
            html = await served.host.compute.beside(rendered, served, actor)
        return Response(html, media_type="text/html")

    return status_page


def rendered(served: Served, actor: Actor) -> str:
    """The whole page, of what the actor may see."""
    host = served.host
    names = served.visible(actor)
    more = len(names) - MOST_TWINS
    body = [
        _header(host),
        *(_twin(host, name) for name in names[:MOST_TWINS]),
        f"<p>and {more} more twins: <a href='/api/twins'>/api/twins</a></p>" if more > 0 else "",
        _links(served, actor),
        _events(host, names, actor),
        _quarantine(served, actor),
    ]
    return (
        "<!doctype html>\n"
        '<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{escape(host.site.name)} - Gemeos</title>"
        '<link rel="stylesheet" href="/page/status.css">'
        '<link rel="icon" href="/page/icon.svg">'
        '<script src="/page/status.js" defer></script>'
        f"</head><body><main>{''.join(body)}</main>"
        '<footer><a href="/openapi.json">OpenAPI</a> <a href="/api/site">site</a> '
        '<a href="/metrics">metrics</a> <span id="live"></span></footer>'
        "</body></html>\n"
    )


def _header(host: Host) -> str:
    teller = Teller(host)
    notes = "".join(
        f"<p class='note'><b>{escape(head)}</b> {escape(text)}</p>"
        for head, text in host.site.notes.items()
    )
    return (
        f"<header><h1>{escape(host.site.name)}</h1>"
        f"<p>{_source(host.site.source)} site time "
        f"<time>{_time(teller, host.clock.now())}</time> ({escape(host.site.zone)})</p>"
        f"{notes}</header>"
    )


def _source(source: str) -> str:
    kind = "live" if source == "live" else "not-live"
    return f"<span class='source {kind}'>{escape(source)}</span>"


def _twin(host: Host, name: str) -> str:
    trust = host.questions.trust(name)
    schema = host.fleet(name).schema
    phase = trust.phase.value
    age = "no data yet" if trust.age is None else f"data {length(trust.age)} old"
    return (
        f"<article><h2>{escape(name)} <span class='phase {phase.replace(' ', '-')}'>"
        f"{escape(phase)}</span></h2>"
        f"<p>{_source(trust.source)} {escape(age)}, {trust.members} members, "
        f"{trust.assimilated} readings assimilated"
        f"{f', {trust.too_late} came too late' if trust.too_late else ''}"
        f"{f', lost and found again: {trust.recovered}' if trust.recovered else ''}</p>"
        f"{_now(host, name)}{_channels(trust, schema)}{_scores(trust)}</article>"
    )


def _now(host: Host, name: str) -> str:
    try:
        estimate = host.questions.now(name)
    except AssimilationError as error:
        return f"<p class='note'>{escape(str(error))}</p>"
    rows = [_variable(estimate, v) for v in host.twin(name).shown[:MOST_VARIABLES]]
    return _table(
        f"{name} now", ("variable", "mean", "± sd", "90 % within", "unit"), rows, "numbers"
    )


def _variable(estimate: Estimate, name: str) -> Sequence[str]:
    marginal = estimate[name]
    mean, sd, interval = told(marginal, -1)
    return (name, mean, f"± {sd}", interval.replace("..", "to"), marginal.unit or "1")


def _channels(trust: Trust, schema: Schema) -> str:
    if not trust.channels:
        return "<p class='note'>No channel is bound.</p>"
    rows = [_channel(c, trust, schema) for c in trust.channels[:MOST_CHANNELS]]
    head = (
        "channel",
        "variable",
        "verdict",
        "last",
        "unit",
        "age",
        "readings",
        "innovation",
        "surprise",
    )
    more = len(trust.channels) - MOST_CHANNELS
    after = f"<p>and {more} more channels</p>" if more > 0 else ""
    return _table(f"channels of {trust.twin}", head, rows, "channels") + after


def _channel(channel: ChannelTrust, trust: Trust, schema: Schema) -> Sequence[str]:
    return (
        channel.channel,
        channel.variable,
        channel.verdict.name.lower(),
        _number(channel.last_value),
        schema.variable(channel.variable).unit or "1",
        "never heard" if channel.last_at is None else length(trust.now - channel.last_at),
        str(channel.readings),
        _number(channel.innovation, 2),
        _number(channel.surprise, 2),
    )


def _scores(trust: Trust) -> str:
    """How its forecasts turned out; nothing where it is not held to any."""
    rows = [
        (
            score.variable,
            length(score.lead),
            f"{score.crps:.3g}",
            score.unit or "1",
            _skill(score.persistence),
            _skill(score.before.persistence),
            "-" if score.climatology is None else _skill(score.climatology),
            f"{100 * score.coverage[2]:.0f} %",
            str(score.count),
        )
        for score in trust.scores[:MOST_SCORES]
    ]
    head = (
        "forecast of",
        "ahead",
        "CRPS",
        "unit",
        "skill against persistence",
        "the model alone",
        "against climatology",
        "within 90 %",
        "forecasts",
    )
    return _table(f"forecasts of {trust.twin}", head, rows, "scores") if rows else ""


def _skill(against: Against) -> str:
    if against.skill is None:
        return "-"
    if against.low is None or against.high is None:
        return f"{against.skill:.2f}"
    return f"{against.skill:.2f} ({against.low:.2f} to {against.high:.2f})"


def _links(served: Served, actor: Actor) -> str:
    host = served.host
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
        if links_seen(served, actor, link.name)
    ]
    return _section("Links", _table("links", ("link", "state"), rows, "links") if rows else "")


def _events(host: Host, names: Sequence[str], actor: Actor) -> str:
    asked: Iterable[str | None] = (None,) if actor.scope is None else names
    found: list[Event] = [
        event for twin in asked for event in host.timeline.events(twin=twin, limit=MOST_EVENTS)
    ]
    found.sort(key=lambda event: (event.valid_at, event.number), reverse=True)
    teller = Teller(host)
    rows = [
        (
            _time(teller, event.valid_at),
            event.twin,
            event.kind,
            ", ".join(f"{k} {v}" for k, v in event.body.items() if v is not None),
            event.actor,
        )
        for event in found[:MOST_EVENTS]
    ]
    head = ("when", "twin", "what", "", "who")
    return _section("Recent events", _table("events", head, rows, "events") if rows else "")


def _quarantine(served: Served, actor: Actor) -> str:
    if actor.scope is not None:
        return ""
    timeline = served.host.timeline
    count = timeline.refused_count()
    teller = Teller(served.host)
    rows = [
        (_time(teller, row.received_at), row.link, row.channel, row.reason)
        for row in timeline.refused(limit=MOST_REFUSED)
    ]
    head = ("received", "link", "channel", "why")
    listed = _table("quarantine", head, rows, "refused") if rows else ""
    said = f"<p>{count} refused in all. <a href='/api/quarantine'>/api/quarantine</a></p>"
    return _section("Quarantine", said + listed)


def _section(heading: str, inside: str) -> str:
    return f"<section><h2>{escape(heading)}</h2>{inside or '<p>none</p>'}</section>"


def _table(label: str, head: Sequence[str], rows: Iterable[Sequence[str]], kind: str) -> str:
    """A table in a frame that scrolls by itself where there is no room for it."""
    heads = "".join(f"<th scope='col'>{escape(cell)}</th>" for cell in head)
    # On a phone each row is a paragraph, in which its cells tell their headings themselves.
    body = "".join(
        f"<tr><th scope='row'>{escape(row[0])}</th>"
        + "".join(
            f"<td data-of='{escape(of)}'>{escape(cell)}</td>"
            for of, cell in zip(head[1:], row[1:], strict=True)
        )
        + "</tr>"
        for row in rows
    )
    return (
        f"<div class='frame' role='region' aria-label='{escape(label)}' tabindex='0'>"
        f"<table class='{kind}'><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _time(teller: Teller, when: Instant) -> str:
    """To the second, which is what somebody reads."""
    return teller.time(when - when % SECOND).replace("T", " ")


def _number(value: float | None, decimals: int | None = None) -> str:
    if value is None:
        return "-"
    return f"{value:.6g}" if decimals is None else f"{value:.{decimals}f}"


def length(of: Span) -> str:
    """A length of time in its two largest units, as in ``2 h 5 min``."""
    seconds = of / SECOND
    if seconds < 0:
        return f"-{length(-of)}"
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = int(seconds)
    told_in: list[str] = []
    for size, unit in _UNITS:
        count, whole = divmod(whole, size)
        if count or told_in:
            told_in.append(f"{count} {unit}")
    return " ".join(told_in[:2])
