"""How a command reaches the site that it asks: the running one, else one that opens the store."""

from __future__ import annotations

import argparse
import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from gemeos.cli.declared import declared
from gemeos.errors import SettingsError
from gemeos.runtime.host import Host
from gemeos.runtime.run import timeline_of
from gemeos.serve.client import Connection, connect
from gemeos.serve.server import serve

DEFAULT_URL = "http://127.0.0.1:8000"
PATIENCE_S = 30.0


def add_site(parser: argparse.ArgumentParser) -> None:
    """The arguments that say which site."""
    parser.add_argument("--url", default=DEFAULT_URL, help="the running site")
    parser.add_argument(
        "--site",
        type=Path,
        default=Path("site.toml"),
        help="site.toml, for when no site runs: its store is then opened and asked",
    )
    parser.add_argument("--token", type=Path, help="a file that holds the token's secret")


def only(site: Connection) -> str:
    """The name of the one twin.

    Raises:
        SettingsError: there are several.
    """
    if len(site.names) != 1:
        raise SettingsError(f"Which twin? There are: {', '.join(site.names)}.")
    return site.names[0]


def secret(args: argparse.Namespace) -> str | None:
    """What is in the token's file."""
    token: Path | None = args.token
    if token is None:
        return None
    try:
        return token.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise SettingsError(f"The token's file cannot be read: {error}.") from error


@contextmanager
def reached(args: argparse.Namespace) -> Iterator[Connection]:
    """The running site; one that only opens its store where none runs."""
    try:
        httpx.get(f"{args.url}/healthz", timeout=5, trust_env=False)
    except httpx.TransportError as error:
        if not args.site.exists():
            raise SettingsError(
                f"No site answers at {args.url}, and there is no {args.site} whose store could be "
                "asked. Start one with `gemeos up`, or name one with --url or --site."
            ) from error
        with _stored(args.site) as url, connect(url) as site:
            yield site
        return
    with connect(args.url, token=secret(args)) as site:
        yield site


@contextmanager
def _stored(path: Path) -> Iterator[str]:
    """The address of a site that follows no link: its twins stand where the store left them."""
    site = declared(path).site
    if site.store is None:
        raise SettingsError(f"{path} keeps its timeline in memory: it can be asked only while up.")
    if not site.store.exists():
        raise SettingsError(f"{path} has not run yet: there is no {site.store}.")
    host = Host(site, timeline_of(site.store))
    told: list[str] = []
    up = threading.Event()
    ending: list[Callable[[], None]] = []

    async def answering() -> None:
        stop, loop = asyncio.Event(), asyncio.get_running_loop()

        def end() -> None:
            loop.call_soon_threadsafe(stop.set)

        ending.append(end)

        def ready(url: str) -> None:
            told.append(url)
            up.set()

        serving = asyncio.create_task(serve(host, port=0, ready=ready))
        serving.add_done_callback(lambda _: stop.set())
        await stop.wait()
        up.set()
        serving.cancel()
        await asyncio.wait([serving])

    thread = threading.Thread(target=lambda: asyncio.run(answering()), daemon=True)
    try:
        host.resume()
        # Where it takes longer, the phase of a twin says that it is catching up.
        host.catch_up(PATIENCE_S)
        thread.start()
        up.wait(PATIENCE_S)
        if not told:
            raise SettingsError(f"The store of {path} was opened, but could not be served.")
        yield told[0]
    finally:
        for end in ending:
            end()
        if thread.is_alive():
            thread.join(PATIENCE_S)
        host.close()
