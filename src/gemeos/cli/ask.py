"""Questions to a site, over HTTP: to the running one, else to one that only opens its store."""

from __future__ import annotations

import argparse
import asyncio
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import httpx
import msgspec
from rich.console import Console
from rich.table import Table

from gemeos.cli.declared import declared
from gemeos.cli.show import scores_table, trust_table
from gemeos.ensemble.estimate import Estimate
from gemeos.errors import InputError, SettingsError
from gemeos.runtime.host import Host
from gemeos.runtime.run import timeline_of
from gemeos.serve.client import ConnectedTwin, Connection, connect
from gemeos.serve.messages import Problem
from gemeos.serve.server import serve

COMMANDS = {
    "now": "What a twin holds to be so at this moment.",
    "at": "What a twin holds to have been so; with --known-by, what it held then.",
    "forecast": "Where a twin goes if nobody intervenes.",
    "trust": "How well a twin is in step, and what that rests on.",
    "quarantine": "What came in and could not be used, newest first.",
}
DEFAULT_URL = "http://127.0.0.1:8000"
PATIENCE_S = 30.0


def add_arguments(name: str, parser: argparse.ArgumentParser) -> None:
    """What each question takes."""
    parser.add_argument("--url", default=DEFAULT_URL, help="the running site")
    parser.add_argument(
        "--site",
        type=Path,
        default=Path("site.toml"),
        help="site.toml, for when no site runs: its store is then opened and asked",
    )
    parser.add_argument("--token", type=Path, help="a file that holds the token's secret")
    if name == "quarantine":
        parser.add_argument("--limit", type=int, default=20)
        parser.set_defaults(run=_quarantine)
        return
    # `gemeos at WHEN` must work where there is one twin, so the twin's name is an option there.
    if name in {"at", "forecast"}:
        parser.add_argument("--twin", help="its name; may be left out where there is one")
    else:
        parser.add_argument("twin", nargs="?", help="its name; may be left out where there is one")
    if name == "at":
        parser.add_argument("when", help="ISO 8601, as in 2014-03-01T12:00Z")
        parser.add_argument("--known-by", help="only what was known at that site time")
    if name != "trust":
        parser.add_argument("--all", action="store_true", help="states, params and inputs too")
    if name == "forecast":
        parser.add_argument("until", nargs="?", default="6 h", help="how far ahead, as in '6 h'")
        parser.add_argument("--every", help="time between two instants, as in '10 min'")
        parser.add_argument(
            "--raw", action="store_true", help="what the ensemble says, without correction"
        )
    parser.set_defaults(run=_ask)


def _ask(args: argparse.Namespace) -> None:
    with _asked(args) as site:
        name = args.twin or _only(site)
        asked: Mapping[str, str | None] = {
            "at": {
                "when": getattr(args, "when", None),
                "known_by": getattr(args, "known_by", None),
            },
            "forecast": {
                "until": getattr(args, "until", None),
                "every": getattr(args, "every", None),
                "raw": "true" if getattr(args, "raw", False) else None,
            },
        }.get(args.command, {})
        if args.json:
            print(_json(site, f"/api/twins/{quote(name, safe='')}/{args.command}", asked, args))
            return
        twin = site[name]
        match args.command:
            case "now":
                _print(twin, twin.now(), args)
            case "at":
                _print(twin, twin.at(args.when, known_by=args.known_by), args)
            case "forecast":
                _print(twin, twin.forecast(args.until, every=args.every, raw=args.raw), args)
            case _:
                trust = twin.trust()
                Console().print(trust_table(trust))
                if trust.scores:
                    Console().print(scores_table(trust))


def _print(twin: ConnectedTwin, estimate: Estimate, args: argparse.Namespace) -> None:
    """What can be seen or could be: sensors and virtual sensors, unless all is asked for."""
    schema = twin.schema()
    seen = {v.name for v in schema.variables if v.role in {"virtual", "sensor"}}
    shown = [name for name in schema.shown if args.all or name in seen]
    print(estimate.only([name for name in shown if name in estimate.variables]))


def _quarantine(args: argparse.Namespace) -> None:
    with _asked(args) as site:
        if args.json:
            print(_json(site, "/api/quarantine", {"limit": str(args.limit)}, args))
            return
        told = site.quarantine(limit=args.limit)
    total = "" if told.count is None else f"{told.count} refused in all; "
    table = Table(title=f"{total}the newest {len(told.rows)}", title_justify="left")
    for heading in ("received", "link", "channel", "why", "bytes", "beginning"):
        table.add_column(heading, overflow="fold")
    for row in told.rows:
        table.add_row(
            row.received_at, row.link, row.channel, row.reason, str(row.size), row.payload[:40]
        )
    Console().print(table)


def _json(
    site: Connection, path: str, asked: Mapping[str, str | None], args: argparse.Namespace
) -> str:
    """The site's own JSON."""
    secret = _secret(args)
    answer = httpx.get(
        f"{site.url}{path}",
        params={k: v for k, v in asked.items() if v is not None},
        headers={} if secret is None else {"authorization": f"Bearer {secret}"},
        timeout=PATIENCE_S,
        trust_env=False,
    )
    if answer.is_error:
        raise InputError(msgspec.json.decode(answer.content, type=Problem).message)
    return answer.text


def _only(site: Connection) -> str:
    if len(site.names) != 1:
        raise SettingsError(f"Which twin? There are: {', '.join(site.names)}.")
    return site.names[0]


def _secret(args: argparse.Namespace) -> str | None:
    token: Path | None = args.token
    if token is None:
        return None
    try:
        return token.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise SettingsError(f"The token's file cannot be read: {error}.") from error


@contextmanager
def _asked(args: argparse.Namespace) -> Iterator[Connection]:
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
    with connect(args.url, token=_secret(args)) as site:
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
