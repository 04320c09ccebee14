"""One thing that can be asked over HTTP: declared once, for the router and for the document.

A question is a plain function. It runs beside the loop, together with the encoding of its answer,
and there are never more of them than the gate lets in.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Final, Generic, TypeAlias, TypeVar

import msgspec
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gemeos.errors import InputError, nearest
from gemeos.link.message import KEPT_OF_PAYLOAD
from gemeos.runtime.host import Host
from gemeos.runtime.strand import Strand
from gemeos.serve.auth import Actor, Role
from gemeos.serve.desk import Desk
from gemeos.serve.guard import ACTOR
from gemeos.serve.limits import Gate, Limits, Pace
from gemeos.serve.messages import Message
from gemeos.serve.metrics import Metrics
from gemeos.serve.stream import Broadcast
from gemeos.serve.teller import Teller

MOST_DRAINED: Final = 64 << 20
"""Bytes of a body that is too large that are read and thrown away, so that the sender, who reads
only when it has sent everything, hears why."""
JSON: Final = "application/json"
MSGPACK: Final = "application/msgpack"


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """The parameters behind the question mark."""


@dataclass(frozen=True, slots=True)
class Served:
    """What every route works with."""

    host: Host
    limits: Limits
    questions: Gate
    posts: Gate
    metrics: Metrics
    broadcast: Broadcast
    pace: Pace = field(default_factory=Pace)
    desks: dict[str, Desk] = field(default_factory=dict)
    """Of the links that readings were sent to."""

    @property
    def tell(self) -> Teller:
        """Puts answers into the site's zone."""
        return Teller(self.host)

    def visible(self, actor: Actor) -> list[str]:
        """Names of the twins that the actor may see."""
        return [name for name in self.host.site.twin_names if actor.sees(name)]


_Q = TypeVar("_Q", bound=Query)


@dataclass(frozen=True, slots=True)
class Call(Generic[_Q]):
    """One request for one operation, parsed and allowed."""

    served: Served
    actor: Actor
    query: _Q
    path: Mapping[str, str]
    """The pieces of the path by name."""
    packed: bool
    """MessagePack is wanted."""
    body: Any = None
    """What was sent, of the first of the types that the operation takes."""

    @property
    def twin(self) -> str:
        """The twin in the path; the actor may see it."""
        return self.path["twin"]

    @property
    def strand(self) -> Strand:
        """Where it is answered: nobody waits for questions to twins that take long."""
        host, twin = self.served.host, self.path.get("twin")
        return host.compute if twin is None else host.strand(twin)


Answer: TypeAlias = Callable[[Call[Any]], Message]
Endpoint: TypeAlias = Callable[[Request, Served], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Operation:
    """One path and method."""

    path: str
    name: str
    """Unique; camel case, as the document wants it."""
    summary: str
    answer: Answer | None = None
    """A question; None where ``endpoint`` does it all by itself."""
    sends: Any = None
    """Type of the answer."""
    query: type[Query] = Query
    endpoint: Endpoint | None = None
    method: str = "GET"
    role: Role | None = Role.VIEWER
    """What the actor must be at least; None for anybody."""
    takes: tuple[Any, ...] = ()
    """Types that the body may be of."""
    media: str = JSON
    """Of the answer."""
    problems: tuple[int, ...] = ()
    """Statuses beside those that any question may have."""
    variants: Mapping[int, tuple[Any, ...]] = field(default_factory=dict)
    """Types that answers with another status may be of."""


def route(operation: Operation, served: Served) -> Route:
    """The route that answers the operation."""

    async def endpoint(request: Request) -> Response:
        if operation.endpoint is not None:
            return await operation.endpoint(request, served)
        assert operation.answer is not None  # noqa: S101  one of the two is given
        call = called(request, operation.query, served)
        if operation.role is not None:
            call.actor.require(operation.role)
        if "twin" in call.path:
            call.actor.require_twin(call.twin)
        if operation.takes:
            call = replace(call, body=await _body(request, operation.takes[0], served.limits))
        told = await asked(operation.answer, call)
        if operation.method != "GET":
            # Whoever looks at a page sees what somebody else did.
            of = [call.twin] if "twin" in call.path else served.host.site.twin_names
            served.host.feed.publish(of)
        return told

    return Route(operation.path, endpoint, methods=[operation.method], name=operation.name)


async def _body(request: Request, kind: Any, limits: Limits) -> Any:  # noqa: ANN401 -- as declared
    """What was sent, parsed.

    Raises:
        InputError: too large, too slow, or not what the operation takes.
    """
    sent, size = await received(request, limits.body, limits.body_s)
    if size > limits.body:
        raise InputError(f"The body has {size} bytes; at most {limits.body} are read.")
    packed = request.headers["content-type"].partition(";")[0].strip().lower() == MSGPACK
    try:
        decoded = msgspec.msgpack.decode(sent) if packed else msgspec.json.decode(sent)
        return msgspec.convert(decoded, kind)
    except (msgspec.MsgspecError, RecursionError, ValueError) as error:
        raise InputError(f"{request.url.path}: {error}.") from error


async def received(request: Request, most: int, within_s: float) -> tuple[bytes, int]:
    """The body, or where it is over ``most`` its beginning; and how long it is.

    Raises:
        InputError: it did not arrive in time.
    """
    kept = bytearray()
    size = 0
    try:
        async with asyncio.timeout(within_s):
            async for piece in request.stream():
                kept += piece[: max(0, most - size)]
                size += len(piece)
                if size > most:
                    del kept[KEPT_OF_PAYLOAD:]
                if size > most + MOST_DRAINED:
                    break
    except TimeoutError as error:
        raise InputError(
            f"{size} bytes of the body came in {within_s:g} s, and then it was not at its end."
        ) from error
    told = request.headers.get("content-length", "")
    return bytes(kept), max(size, int(told) if told.isdecimal() else 0)


async def asked(answer: Answer, call: Call[Any]) -> Response:
    """Answer and encode beside the loop."""

    def answered() -> bytes:
        told = answer(call)
        return msgspec.msgpack.encode(told) if call.packed else msgspec.json.encode(told)

    with call.served.questions.one():
        body = await call.strand.beside(answered)
    return Response(body, media_type=MSGPACK if call.packed else JSON)


def called(request: Request, query: type[_Q], served: Served) -> Call[_Q]:
    """The request, parsed.

    Raises:
        InputError: a parameter that is not known, is given twice, or cannot be read.
    """
    return Call(
        served=served,
        actor=actor_of(request),
        query=_parsed(request, query),
        path=request.path_params,
        packed=MSGPACK in request.headers.get("accept", ""),
    )


def actor_of(request: Request) -> Actor:
    """Who asks, as the guard found."""
    actor = request.scope[ACTOR]
    assert isinstance(actor, Actor)  # noqa: S101  the guard let nobody else pass
    return actor


def _parsed(request: Request, query: type[_Q]) -> _Q:
    told: dict[str, str] = {}
    known = query.__struct_fields__
    for name, value in request.query_params.multi_items():
        if name not in known:
            raise InputError(
                f"{request.url.path} has no parameter {name[:80]!r}.{nearest(name[:80], known)}"
            )
        if name in told:
            raise InputError(f"The parameter {name!r} is given twice.")
        told[name] = value
    try:
        return msgspec.convert(told, query, strict=False)
    except msgspec.ValidationError as error:
        raise InputError(f"{request.url.path}: {error}.") from error


def listed(names: str | None) -> list[str] | None:
    """``a,b`` as a list; None for None."""
    return None if names is None else [name.strip() for name in names.split(",") if name.strip()]


AskedTime: TypeAlias = Annotated[
    str,
    Meta(
        description="ISO 8601; without an offset it is read in the site's zone.",
        extra_json_schema={"format": "date-time"},
    ),
]
AskedSpan: TypeAlias = Annotated[
    str,
    Meta(
        description="A number with a unit of time, as in 6h, 10min, 0.5s.",
        extra_json_schema={"pattern": r"^[0-9]{1,4}(\.[0-9]{1,3})? ?(s|min|h|d)$"},
    ),
]
AskedNames: TypeAlias = Annotated[
    str, Meta(description="Names, separated by commas; by default all.")
]
