"""Questions to a site: over HTTP to a running one, else from its store."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import httpx
import msgspec
from rich.console import Console
from rich.table import Table

from gemeos.cli.show import as_json, trust_table
from gemeos.ensemble.estimate import Estimate
from gemeos.errors import SettingsError
from gemeos.runtime.host import Host
from gemeos.runtime.run import timeline_of
from gemeos.runtime.settings import read
from gemeos.runtime.trust import Trust
from gemeos.runtime.twin import When
from gemeos.serve.client import connect

COMMANDS = {
    "now": "What a twin holds to be so at this moment.",
    "at": "What a twin holds to have been so; with --known-by, what it held then.",
    "forecast": "Where a twin goes if nobody intervenes.",
    "trust": "How well a twin is in step, and what that rests on.",
    "quarantine": "What came in and could not be used, newest first.",
}


class Askable(Protocol):
    """A twin that answers, wherever it is."""

    def now(self) -> Estimate:
        """What is so."""
        ...

    def at(self, when: When, *, known_by: When | None = None) -> Estimate:
        """What was so."""
        ...

    def forecast(self, until: str, *, every: str | None = None) -> Estimate:
        """What will be so."""
        ...

    def trust(self) -> Trust:
        """How far to believe it."""
        ...


def add_arguments(name: str, parser: argparse.ArgumentParser) -> None:
    """What each question takes."""
    if name == "quarantine":
        parser.add_argument("--limit", type=int, default=20)
        parser.set_defaults(run=_quarantine)
        return
    parser.add_argument("twin", nargs="?", help="its name; may be left out where there is one")
    if name == "at":
        parser.add_argument("when", help="ISO 8601, as in 2014-03-01T12:00Z")
        parser.add_argument("--known-by", help="only what was known at that site time")
    if name == "forecast":
        parser.add_argument("until", nargs="?", default="6 h", help="how far ahead, as in '6 h'")
        parser.add_argument("--every", help="time between two instants, as in '10 min'")
    if name != "trust":
        parser.add_argument(
            "--only", action="append", default=[], help="a variable; may be given several times"
        )
    parser.set_defaults(run=_ask)


def _ask(args: argparse.Namespace) -> None:
    with _asked(args) as twins:
        name = args.twin or _only(twins)
        twin = twins[name]
        match args.command:
            case "now":
                _print(twin.now(), args)
            case "at":
                _print(twin.at(args.when, known_by=args.known_by), args)
            case "forecast":
                _print(twin.forecast(args.until, every=args.every), args)
            case _:
                trust = twin.trust()
                if args.json:
                    print(as_json(trust))
                else:
                    Console().print(trust_table(trust))


def _print(estimate: Estimate, args: argparse.Namespace) -> None:
    if args.only:
        estimate = estimate.only(args.only)
    print(as_json(estimate) if args.json else estimate)


def _quarantine(args: argparse.Namespace) -> None:
    with httpx.Client(base_url=args.url, headers=_headers(args), timeout=10) as client:
        try:
            answer = client.get("/api/quarantine", params={"limit": args.limit})
            answer.raise_for_status()
            told = msgspec.json.decode(answer.content)
        except httpx.ConnectError:
            told = _stored_quarantine(args)
    if args.json:
        print(msgspec.json.encode(told).decode())
        return
    table = Table(title=f"{told['count']} refused in all", title_justify="left")
    for heading in ("link", "channel", "why", "bytes", "beginning"):
        table.add_column(heading, overflow="fold")
    for row in told["rows"]:
        begin = str(row["payload"])[:40]
        table.add_row(row["link"], row["channel"], row["reason"], str(row["size"]), begin)
    Console().print(table)


def _stored_quarantine(args: argparse.Namespace) -> dict[str, object]:
    settings = read(args.site)
    timeline = timeline_of(settings.site.store)
    try:
        rows = timeline.refused(limit=args.limit)
        return {
            "count": timeline.refused_count(),
            "rows": [
                {
                    "link": r.link,
                    "channel": r.channel,
                    "reason": r.reason,
                    "size": r.size,
                    "payload": r.payload.decode(errors="replace"),
                }
                for r in rows
            ],
        }
    finally:
        timeline.close()


class _Twins(Protocol):
    @property
    def names(self) -> tuple[str, ...]: ...

    def __getitem__(self, name: str) -> Askable: ...


def _only(twins: _Twins) -> str:
    if len(twins.names) != 1:
        raise SettingsError(f"Which twin? There are: {', '.join(twins.names)}.")
    return twins.names[0]


@contextmanager
def _asked(args: argparse.Namespace) -> Iterator[_Twins]:
    """The running site; its store where none runs."""
    try:
        httpx.get(f"{args.url}/healthz", timeout=5)
    except httpx.TransportError as error:
        if not args.site.exists():
            raise SettingsError(
                f"No site answers at {args.url}, and there is no {args.site} whose store could be "
                "asked. Start one with `gemeos up`, or name one with --url or --site."
            ) from error
        with _stored(args.site) as stored:
            yield stored
        return
    secret = None if args.token is None else Path(args.token).read_text(encoding="utf-8").strip()
    with connect(args.url, token=secret) as connection:
        yield connection


def _headers(args: argparse.Namespace) -> dict[str, str]:
    if args.token is None:
        return {}
    secret = Path(args.token).read_text(encoding="utf-8").strip()
    return {"Authorization": f"Bearer {secret}"}


class _Stored:
    """Twins of a site that does not run, as its store left them."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self.names = tuple(host.site.twin_names)

    def __getitem__(self, name: str) -> Askable:
        twin = self._host.twin(name)
        twin.attach(self._host.questions)
        return twin


@contextmanager
def _stored(path: Path) -> Iterator[_Stored]:
    site = read(path).site
    if site.store is None:
        raise SettingsError(f"{path} keeps its timeline in memory: it can be asked only while up.")
    host = Host(site, timeline_of(site.store))
    try:
        host.resume()
        yield _Stored(host)
    finally:
        host.close()
