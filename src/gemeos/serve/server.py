"""Serving a running site: uvicorn in the same event loop as the host."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import socket
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Final, final

import uvicorn
from typing_extensions import override

from gemeos.errors import SettingsError
from gemeos.runtime.host import Host
from gemeos.serve.app import application
from gemeos.serve.auth import TokenFile
from gemeos.serve.guard import LOOPBACK_NAMES, Access
from gemeos.serve.limits import Limits

logger = logging.getLogger(__name__)

GRACE_S: Final = 5
"""How long requests that are under way may take to end when the server stops."""
BACKLOG: Final = 512
LAST_PORT: Final = 65535


async def serve(  # noqa: PLR0913 -- each is one setting, by keyword
    host: Host,
    *,
    bind: str = "127.0.0.1",
    port: int = 8000,
    tokens: TokenFile | None = None,
    ready: Callable[[str], None] | None = None,
    hosts: tuple[str, ...] = (),
    loopback_without_token: bool = True,
    limits: Limits | None = None,
) -> None:
    """Answer over HTTP until cancelled. The host has to be resumed; run it beside this.

    Args:
        host: What is asked. It is closed by whoever opened it, after this has ended.
        bind: Address or name to listen at.
        port: 0 for any that is free.
        tokens: Who may come from elsewhere; without them nobody.
        ready: Called with the address, as in ``http://127.0.0.1:8000``, once it answers.
        hosts: Further names under which it may be asked.
        loopback_without_token: Somebody on the machine itself needs no token.
        limits: How much may be asked at once.

    Raises:
        SettingsError: the address is not this machine's, or the port is taken.
    """
    access = Access(
        bind=bind, hosts=hosts, tokens=tokens, loopback_without_token=loopback_without_token
    )
    app = application(host, access, limits)
    listening = _listening(bind, port)
    if bind not in LOOPBACK_NAMES and (tokens is None or not tokens.listed()):
        logger.warning("%s can be reached from elsewhere, but there is no token to come with", bind)
    server = _Server(
        uvicorn.Config(
            app.asgi,
            http="httptools",
            ws="none",
            loop="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            # What a proxy says of its client must not make somebody from elsewhere local.
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=GRACE_S,
        ),
        lambda: _tell(ready, bind, listening.getsockname()[1]),
    )
    serving = asyncio.create_task(server.serve(sockets=[listening]), name="gemeos-serve")
    try:
        await asyncio.shield(serving)
    finally:
        app.broadcast.close()
        server.should_exit = True
        try:
            await serving
        finally:
            listening.close()


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """For ``asyncio.Runner``: uvloop's where it is installed, else None for asyncio's own."""
    if find_spec("uvloop") is None:
        return None
    import uvloop  # noqa: PLC0415 -- an extra

    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


@final
class _Server(uvicorn.Server):
    """Leaves signals to the command line, and tells when it listens."""

    def __init__(self, config: uvicorn.Config, listens: Callable[[], None]) -> None:
        super().__init__(config)
        self._listens = listens

    @override
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    @override
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._listens()


def _tell(ready: Callable[[str], None] | None, bind: str, port: int) -> None:
    name = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(bind, bind)  # noqa: S104 -- told, not bound
    address = f"http://{f'[{name}]' if ':' in name else name}:{port}"
    logger.info("serving at %s", address)
    if ready is not None:
        ready(address)


def _listening(bind: str, port: int) -> socket.socket:
    """A socket that listens already: only listening finds out that the port is taken."""
    where = f"{bind}:{port}"
    if not 0 <= port <= LAST_PORT:
        raise SettingsError(f"{port} is not a port: they go from 0 to {LAST_PORT}.")
    try:
        found = socket.getaddrinfo(bind, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, _, _, _, address = found[0]
        return socket.create_server(address[:2], family=family, backlog=BACKLOG)
    except socket.gaierror as error:
        raise SettingsError(f"{bind!r} is not an address of this machine: {error}.") from error
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise SettingsError(
                f"{where} is taken, perhaps by another Gemeos. Choose another port; 0 takes any "
                "that is free."
            ) from error
        raise SettingsError(f"Nothing can listen at {where}: {error.strerror}.") from error
