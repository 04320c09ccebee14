"""What every request passes first: whose it is, and whether it may come at all.

A page of somebody else's that is open in a user's browser can make that browser send requests to
this machine. Three things stand against it: the ``Host`` must be ours (a name that somebody else
points at this machine is not), the ``Origin`` must be ours where there is one, and what changes
something must be of a content type that a foreign page cannot send without asking first.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, final
from urllib.parse import urlsplit

import msgspec
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gemeos.errors import AccessError, GemeosError, InputError
from gemeos.serve.auth import LOCAL_ADMIN, Actor, TokenFile
from gemeos.serve.metrics import Metrics
from gemeos.serve.problems import problem_of

OPEN_PATHS: Final = frozenset({"/healthz"})
"""Answered to anybody: whoever watches over processes has no token."""
ACTOR: Final = "gemeos.actor"
"""Where the scope of a request keeps its actor."""
LOOPBACK_NAMES: Final = frozenset({"localhost", "127.0.0.1", "::1"})
CONTENT_TYPES: Final = frozenset({"application/json", "application/msgpack"})
_WITH_BODY: Final = frozenset({"POST", "PUT", "PATCH"})
"""Methods whose body must say that it is JSON or MessagePack: no form of a foreign page can."""
_FORWARDED: Final = ("forwarded", "x-forwarded-for", "x-real-ip", "via")
_HEADERS: Final = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
    "cross-origin-resource-policy": "same-origin",
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
}


@dataclass(frozen=True, slots=True)
class Access:
    """Who may come."""

    bind: str = "127.0.0.1"
    """The address that is listened at."""
    hosts: tuple[str, ...] = ()
    """Further names under which the site may be asked, without port."""
    tokens: TokenFile | None = None
    loopback_without_token: bool = True
    """Somebody on the machine itself counts as an administrator."""

    def is_ours(self, host: str) -> bool:
        """Whether a ``Host`` header (with or without port) names this site."""
        name = _name(host)
        if name is None:
            return False
        if name in {*LOOPBACK_NAMES, _bare(self.bind), *(h.lower() for h in self.hosts)}:
            return True
        # Who listens everywhere has many addresses. A number cannot be pointed elsewhere.
        address = _address(self.bind)
        return address is not None and address.is_unspecified and _address(name) is not None


@final
class Guard:
    """The outermost layer: plain ASGI, so that a stream passes it piece by piece."""

    def __init__(self, app: ASGIApp, access: Access, metrics: Metrics) -> None:
        self._app = app
        self._access = access
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let it pass, or answer that it may not."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 500

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        with self._metrics.request(scope, lambda: status):
            refusal = self._refusal(scope)
            await (refusal or self._app)(scope, receive, sending)

    def _refusal(self, scope: Scope) -> Response | None:
        if scope["path"] in OPEN_PATHS:
            return None
        headers = Headers(scope=scope)
        try:
            self._check_names(headers)
        except AccessError as error:
            return answered(error, 403)
        try:
            scope[ACTOR] = self._actor(scope, headers)
        except AccessError as error:
            return _challenged(error, headers)
        if scope["method"] in _WITH_BODY:
            kind = headers.get("content-type", "").partition(";")[0].strip().lower()
            if kind not in CONTENT_TYPES:
                return answered(
                    InputError(
                        f"The content type is {kind or 'not told'}; "
                        f"it must be one of {', '.join(sorted(CONTENT_TYPES))}."
                    ),
                    415,
                )
        return None

    def _check_names(self, headers: Headers) -> None:
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self._access.is_ours(hosts[0]):
            raise AccessError(
                f"This site does not go by the name {', '.join(hosts) or '(none)'!r}. If it "
                "should, list it: hosts = [...] under [serve] in site.toml."
            )
        for origin in headers.getlist("origin"):
            # A proxy may speak TLS for us, so the scheme is not compared.
            if urlsplit(origin).netloc.lower() != hosts[0].lower():
                raise AccessError(f"A page of {origin!r} may not ask this site.")

    def _actor(self, scope: Scope, headers: Headers) -> Actor:
        """Who asks.

        Raises:
            AccessError: somebody without a token that is good.
        """
        secret = _secret(headers)
        tokens = self._access.tokens
        if secret is not None:
            if tokens is None:
                raise AccessError("The token is unknown or revoked.")
            return tokens.actor(secret)
        if self._access.loopback_without_token and _is_local(scope, headers):
            return LOCAL_ADMIN
        raise AccessError(
            "A token is needed here: 'Authorization: Bearer gemeos_...'. `gemeos token` makes one."
        )


def answered(error: GemeosError, status: int, headers: dict[str, str] | None = None) -> Response:
    """The response that tells the error."""
    return Response(
        msgspec.json.encode(problem_of(error)),
        status_code=status,
        media_type="application/json",
        headers=headers,
    )


def _challenged(error: AccessError, headers: Headers) -> Response:
    # A browser that opens the page asks its user for a name (any) and a password: the token.
    by_person = "text/html" in headers.get("accept", "")
    scheme = 'Basic realm="gemeos", charset="UTF-8"' if by_person else 'Bearer realm="gemeos"'
    return answered(error, 401, {"www-authenticate": scheme})


def _secret(headers: Headers) -> str | None:
    scheme, _, told = headers.get("authorization", "").partition(" ")
    match scheme.lower():
        case "":
            return None
        case "bearer":
            return told.strip()
        case "basic":
            try:
                decoded = base64.b64decode(told.strip(), validate=True).decode()
            except (binascii.Error, UnicodeDecodeError):
                return ""
            return decoded.partition(":")[2]
        case _:
            return ""


def _is_local(scope: Scope, headers: Headers) -> bool:
    """Whether the request was made on this machine.

    One that a proxy on this machine passes on comes from its address, but not from here.
    """
    client: Sequence[object] | None = scope.get("client")
    if not client or any(name in headers for name in _FORWARDED):
        return False
    address = _address(str(client[0]))
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return address is not None and address.is_loopback


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(_bare(text))
    except ValueError:
        return None


def _bare(host: str) -> str:
    return host.strip("[]").lower()


def _name(host: str) -> str | None:
    """The name in a ``Host`` header, lower case, without port; None where it is none."""
    try:
        split = urlsplit(f"//{host}")
        _ = split.port  # raises where it is not a number
    except ValueError:
        return None
    # Nothing else may stand there: no path, no user.
    return split.hostname if split.netloc == host and "@" not in host else None
