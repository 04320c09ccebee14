"""Readings that are sent over HTTP, and where those that cannot be used are listed.

A message is one reading, a list of readings, or columns. It is answered once everything of it is
durable: what was taken as well as what went to quarantine.
"""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import Response

from gemeos.errors import InputError, LinkError, UnknownNameError
from gemeos.link.http import InboxSource
from gemeos.schema.reading import Readings, Refused
from gemeos.serve import messages as m
from gemeos.serve import site_messages as sm
from gemeos.serve.auth import Actor, Role
from gemeos.serve.desk import BODIES, Desk
from gemeos.serve.guard import answered
from gemeos.serve.routes.operation import (
    JSON,
    MSGPACK,
    Call,
    Operation,
    Query,
    Served,
    actor_of,
    received,
)

MOST_REASONS: Final = 100
"""Refused readings that are told in one answer; the quarantine has all."""


async def take_readings(request: Request, served: Served) -> Response:
    """Store what is sent, and say what became of it."""
    actor, link = actor_of(request), str(request.path_params["link"])
    actor.require(Role.OPERATOR)
    source = _open_inbox(served, actor, link)
    with served.posts.one():
        desk = await _desk(served, link)
        payload, size = await received(request, served.limits.body, served.limits.body_s)
        if size > served.limits.body:
            reason = f"The body has {size} bytes; at most {served.limits.body} are read."
            await source.put(Readings.none(), [desk.refused(payload, size, reason)])
            return answered(InputError(reason), 413)
        packed = request.headers["content-type"].partition(";")[0].strip().lower() == MSGPACK
        async with desk.turn:
            readings, refused = await served.host.compute.beside(
                desk.decode, payload, packed=packed
            )
        await source.put(readings, refused)
    return _told(readings, refused)


def _told(readings: Readings, refused: tuple[Refused, ...]) -> Response:
    nothing = bool(refused) and not len(readings)
    told = m.TakenMessage(
        committed=len(readings),
        refused=[
            m.RefusedReading(channel=r.channel, reason=r.reason) for r in refused[:MOST_REASONS]
        ],
        error="ReadingError" if nothing else None,
        message=refused[0].reason if nothing else None,
    )
    return Response(msgspec.json.encode(told), status_code=422 if nothing else 200, media_type=JSON)


def _open_inbox(served: Served, actor: Actor, link: str) -> InboxSource:
    host = served.host
    bound = [t.name for t in host.site.twins for b in t.bindings if b.series.link == link]
    for twin in bound:
        actor.require_twin(twin)
    known = [each.name for each in host.site.links if links_seen(served, actor, each.name)]
    if link not in known:
        raise UnknownNameError("link", link, known, where=host.site.name)
    source = host.link(link)
    if source is None:
        raise LinkError(f"Link {link!r} is not open at present; nothing was taken.")
    if not isinstance(source, InboxSource):
        raise InputError(
            f"Link {link!r} fetches its readings itself; only a link of the kind 'http' is sent to."
        )
    return source


def links_seen(served: Served, actor: Actor, link: str) -> bool:
    """Whether all twins that the link feeds may be seen; where it feeds none, all there are."""
    twins = {t.name for t in served.host.site.twins for b in t.bindings if b.series.link == link}
    return all(actor.sees(twin) for twin in twins) if twins else actor.scope is None


async def _desk(served: Served, link: str) -> Desk:
    desks = served.desks
    if link not in desks:
        # On the path: it enters series into the store's book.
        made = await served.host.compute.on_path(Desk, served.host, link, served.limits.body)
        desks.setdefault(link, made)
    return desks[link]


class QuarantineQuery(Query, frozen=True, kw_only=True):
    """Which rows."""

    link: str | None = None
    limit: Annotated[int, Meta(ge=1, le=1000)] = 100


def quarantine(call: Call[QuarantineQuery]) -> sm.QuarantineMessage:
    """What was refused, the newest first."""
    served, query = call.served, call.query
    names = [link.name for link in served.host.site.links]
    seen = [name for name in names if links_seen(served, call.actor, name)]
    if query.link is not None and query.link not in seen:
        raise UnknownNameError("link", query.link, seen, where=served.host.site.name)
    timeline, everything = served.host.timeline, call.actor.scope is None
    if query.link is not None or everything:
        rows = list(timeline.refused(limit=query.limit, link=query.link))
    else:
        of_each = [timeline.refused(limit=query.limit, link=name) for name in seen]
        rows = sorted((row for of_one in of_each for row in of_one), key=lambda r: -r.received_at)[
            : query.limit
        ]
    return sm.QuarantineMessage(
        count=timeline.refused_count() if everything else None,
        rows=[served.tell.refused(row) for row in rows],
        source=served.host.site.source,
        now=served.tell.time(served.host.clock.now()),
    )


OPERATIONS: Final = (
    Operation(
        "/api/links/{link}/readings",
        "sendReadings",
        "Store readings; answered when they are durable",
        endpoint=take_readings,
        method="POST",
        role=Role.OPERATOR,
        takes=BODIES,
        sends=m.TakenMessage,
        problems=(404, 413, 415),
        variants={422: (m.TakenMessage, m.Problem)},
    ),
    Operation(
        "/api/quarantine",
        "readQuarantine",
        "What was refused, and why",
        quarantine,
        sm.QuarantineMessage,
        QuarantineQuery,
        problems=(404,),
    ),
)
