"""The site as an ASGI application: every route, behind the guard."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from gemeos.errors import GemeosError
from gemeos.runtime.host import Host
from gemeos.runtime.supervise import supervised
from gemeos.serve import openapi, page
from gemeos.serve.guard import Access, Guard, answered
from gemeos.serve.limits import Gate, Limits
from gemeos.serve.metrics import Metrics
from gemeos.serve.problems import RETRY_AFTER_S, status_of
from gemeos.serve.routes import (
    hindcasts,
    ledger,
    links,
    optimisations,
    plans,
    scenarios,
    site,
    twins,
)
from gemeos.serve.routes.operation import JSON, Operation, Served, route
from gemeos.serve.stream import Broadcast

OPERATIONS: Final[tuple[Operation, ...]] = (
    *twins.OPERATIONS,
    *scenarios.OPERATIONS,
    *optimisations.OPERATIONS,
    *hindcasts.OPERATIONS,
    *plans.OPERATIONS,
    *ledger.OPERATIONS,
    *links.OPERATIONS,
    *site.OPERATIONS,
)
PAGE_FILES: Final = Path(__file__).parent / "page"


@dataclass(frozen=True, slots=True)
class Application:
    """The ASGI application, and what ends its streams."""

    asgi: ASGIApp
    broadcast: Broadcast


def application(
    host: Host, access: Access | None = None, limits: Limits | None = None
) -> Application:
    """Everything that the running site serves.

    Its lifespan has to be run: it tells the clients of the live stream what changes.
    """
    limits = limits or Limits()
    metrics = Metrics(host)
    broadcast = Broadcast(host, limits, metrics)
    served = Served(
        host=host,
        limits=limits,
        questions=Gate("questions", limits.questions),
        posts=Gate("posts of readings", limits.posts),
        metrics=metrics,
        broadcast=broadcast,
    )

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        telling = asyncio.create_task(supervised("stream", broadcast.run), name="gemeos-stream")
        try:
            yield
        finally:
            telling.cancel()

    starlette = Starlette(
        routes=[
            *(route(operation, served) for operation in OPERATIONS),
            Route("/openapi.json", _document(), methods=["GET"]),
            *page.routes(served),
            Mount("/page", StaticFiles(directory=PAGE_FILES)),
        ],
        exception_handlers={
            GemeosError: _problem,
            HTTPException: site.not_there,
            ClientDisconnect: _nobody_there,
            Exception: _defect,
        },
        lifespan=lifespan,
    )
    starlette.router.redirect_slashes = False
    return Application(Guard(starlette, access or Access(), metrics), broadcast)


def _document() -> Callable[[Request], Awaitable[Response]]:
    body = msgspec.json.encode(openapi.document(OPERATIONS))

    async def endpoint(_: Request) -> Response:
        return Response(body, media_type=JSON)

    return endpoint


async def _problem(_: Request, error: Exception) -> Response:
    assert isinstance(error, GemeosError)  # noqa: S101  it is registered for those
    status = status_of(error)
    return answered(error, status, {"retry-after": str(RETRY_AFTER_S)} if status == 429 else None)


async def _nobody_there(_: Request, __: Exception) -> Response:
    """Who asked is gone; nobody reads this."""
    return Response(status_code=400)


async def _defect(_: Request, __: Exception) -> Response:
    """A defect of Gemeos: the log has it, with where it happened; it is not for the asker."""
    return answered(
        GemeosError("This is a defect of Gemeos, not of the question. The site's log tells more."),
        500,
    )
