"""Questions about the site as a whole, and the live stream."""

from __future__ import annotations

import asyncio
from importlib.metadata import version
from typing import Annotated, Final

import msgspec
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from gemeos.clock import ReplayClock
from gemeos.errors import GemeosError, InputError
from gemeos.link.http import InboxSource
from gemeos.runtime.host import Host
from gemeos.serve import metrics
from gemeos.serve import site_messages as sm
from gemeos.serve.auth import EVERY_TWIN, Role
from gemeos.serve.guard import answered
from gemeos.serve.queues import queue_of
from gemeos.serve.routes.links import links_seen
from gemeos.serve.routes.operation import (
    JSON,
    AskedNames,
    AskedTime,
    Call,
    Operation,
    Query,
    Served,
    actor_of,
    called,
    listed,
)
from gemeos.serve.stream import MEDIA

READY_WITHIN_S: Final = 2.0
"""How long the store may take to answer before the site is said not to be ready."""


class EventsQuery(Query, frozen=True, kw_only=True):
    """Which events."""

    twin: str | None = None
    kind: str | None = None
    since: AskedTime | None = None
    limit: Annotated[int, Meta(ge=1, le=1000)] = 100


class StreamQuery(Query, frozen=True, kw_only=True):
    """Which twins."""

    twins: AskedNames | None = None


def site(call: Call[Query]) -> sm.SiteMessage:
    """The running site."""
    served, host = call.served, call.served.host
    return sm.SiteMessage(
        name=host.site.name,
        version=version("gemeos"),
        zone=host.site.zone,
        clock="replay" if isinstance(host.clock, ReplayClock) else "wall",
        speed=host.clock.speed if isinstance(host.clock, ReplayClock) else 1.0,
        source=host.site.source,
        now=served.tell.time(host.clock.now()),
        twins=served.visible(call.actor),
        links=[
            _link(host, link.name)
            for link in host.site.links
            if links_seen(served, call.actor, link.name)
        ],
        counted=dict(host.counted),
        loop_lag_s=host.loop_lag_s,
        notes=dict(host.site.notes),
    )


def _link(host: Host, name: str) -> sm.LinkMessage:
    source = host.link(name)
    channels = {
        b.series.channel for t in host.site.twins for b in t.bindings if b.series.link == name
    }
    queue = queue_of(source)
    return sm.LinkMessage(
        name=name,
        open=source is not None,
        finished=host.has_ended(name),
        takes_posts=isinstance(source, InboxSource),
        channels=sorted(channels),
        waiting=queue.waiting,
        dropped=queue.dropped,
    )


def events(call: Call[EventsQuery]) -> sm.EventsMessage:
    """Changes and decisions, the newest first."""
    query, served, host = call.query, call.served, call.served.host
    since = None if query.since is None else host.site.instant(query.since)
    if query.twin is not None:
        call.actor.require_twin(query.twin)
        asked: list[str | None] = [host.twin(query.twin).name]
    else:
        asked = [None] if call.actor.scope is None else [*served.visible(call.actor)]
    found = [
        event
        for twin in asked
        for event in host.timeline.events(
            twin=twin, kind=query.kind, since=since, limit=query.limit
        )
    ]
    found.sort(key=lambda event: (event.valid_at, event.number), reverse=True)
    return sm.EventsMessage(
        events=[served.tell.event(event) for event in found[: query.limit]],
        source=host.site.source,
        now=served.tell.time(host.clock.now()),
    )


async def stream(request: Request, served: Served) -> Response:
    """An event for each twin that changed."""
    call = called(request, StreamQuery, served)
    call.actor.require(Role.VIEWER)
    named = listed(call.query.twins)
    for name in named or ():
        call.actor.require_twin(name)
        served.host.twin(name)
    twins = served.visible(call.actor) if named is None else named
    if len(twins) > served.limits.streamed_twins:
        raise InputError(
            f"{len(twins)} twins are too many for one stream of {served.limits.streamed_twins}: "
            "name those that you want, as in ?twins=a,b."
        )
    served.broadcast.check_room()
    if request.method == "HEAD":
        return Response(media_type=MEDIA)
    return StreamingResponse(
        served.broadcast.events(twins),
        media_type=MEDIA,
        # Proxies that collect what they pass on would hold events back.
        headers={"x-accel-buffering": "no"},
    )


async def health(request: Request, served: Served) -> Response:  # noqa: ARG001
    """Whether the process answers, and whether its store is open."""
    try:
        async with asyncio.timeout(READY_WITHIN_S):
            await served.host.compute.beside(served.host.timeline.refused_count)
        ready = True
    except (GemeosError, TimeoutError):
        ready = False
    told = sm.Health(live=True, ready=ready)
    return Response(msgspec.json.encode(told), status_code=200 if ready else 503, media_type=JSON)


async def exposition(request: Request, served: Served) -> Response:
    """Counters and gauges for a monitoring system."""
    actor = actor_of(request)
    if actor.scope is not None:
        # They count over all twins.
        actor.require_twin(EVERY_TWIN)
    with served.questions.one():
        told = await served.host.compute.beside(served.metrics.told)
    return Response(told, headers={"content-type": metrics.CONTENT_TYPE})


async def not_there(request: Request, error: Exception) -> Response:
    """A path that is no path, or a method that it does not have."""
    status = getattr(error, "status_code", 404)
    said = {404: "There is nothing at", 405: "That method cannot be used on"}
    told = said.get(status, "That cannot be done with")
    return answered(
        InputError(f"{told} {request.url.path[:200]!r}. /openapi.json tells what there is."),
        status,
        dict(getattr(error, "headers", None) or {}),
    )


OPERATIONS: Final = (
    Operation("/api/site", "readSite", "The running site", site, sm.SiteMessage),
    Operation(
        "/api/events",
        "readEvents",
        "Changes and decisions with who and why, the newest first",
        events,
        sm.EventsMessage,
        EventsQuery,
        problems=(404,),
    ),
    Operation(
        "/api/stream",
        "stream",
        "Server-sent events: a summary of each twin, then of each that changes",
        endpoint=stream,
        query=StreamQuery,
        media=MEDIA,
        problems=(404,),
    ),
    Operation(
        "/healthz",
        "readHealth",
        "Whether the process answers and its store is open; asks for no token",
        endpoint=health,
        sends=sm.Health,
        role=None,
        variants={503: (sm.Health,)},
    ),
    Operation(
        "/metrics",
        "readMetrics",
        "Counters and gauges in the Prometheus text format",
        endpoint=exposition,
        media="text/plain",
    ),
)
