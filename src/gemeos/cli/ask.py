"""Questions to a site, over HTTP: to the running one, else to one that only opens its store."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from urllib.parse import quote

from rich.console import Console
from rich.table import Table

from gemeos.cli.reach import add_site, only, reached
from gemeos.cli.show import scores_table, trust_table, warnings_table
from gemeos.ensemble.estimate import Estimate
from gemeos.serve.client import ConnectedTwin

COMMANDS = {
    "now": "What a twin holds to be so at this moment.",
    "at": "What a twin holds to have been so; with --known-by, what it held then.",
    "forecast": "Where a twin goes if nobody intervenes.",
    "warnings": "How each alert of a twin stands, and how it has done so far.",
    "trust": "How well a twin is in step, and what that rests on.",
    "quarantine": "What came in and could not be used, newest first.",
}


def add_arguments(name: str, parser: argparse.ArgumentParser) -> None:
    """What each question takes."""
    add_site(parser)
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
    if name not in {"trust", "warnings"}:
        parser.add_argument("--all", action="store_true", help="states, params and inputs too")
    if name == "forecast":
        parser.add_argument("until", nargs="?", default="6 h", help="how far ahead, as in '6 h'")
        parser.add_argument("--every", help="time between two instants, as in '10 min'")
        parser.add_argument(
            "--raw", action="store_true", help="what the ensemble says, without correction"
        )
    parser.set_defaults(run=_ask)


def _ask(args: argparse.Namespace) -> None:
    with reached(args) as site:
        name = args.twin or only(site)
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
            print(site.text(f"/api/twins/{quote(name, safe='')}/{args.command}", **asked))
            return
        twin = site[name]
        match args.command:
            case "now":
                _print(twin, twin.now(), args)
            case "at":
                _print(twin, twin.at(args.when, known_by=args.known_by), args)
            case "forecast":
                _print(twin, twin.forecast(args.until, every=args.every, raw=args.raw), args)
            case "warnings":
                _warnings(twin)
            case _:
                trust = twin.trust()
                console = Console()
                console.print(trust_table(trust, console.width))
                if trust.scores:
                    console.print(scores_table(trust))


def _warnings(twin: ConnectedTwin) -> None:
    told = twin.warnings()
    if not told:
        print(f"{twin.name} watches for nothing: [twin.{twin.name}.watch.NAME] declares an alert.")
        return
    Console().print(warnings_table(told))


def _print(twin: ConnectedTwin, estimate: Estimate, args: argparse.Namespace) -> None:
    """What can be seen or could be: sensors and virtual sensors, unless all is asked for."""
    schema = twin.schema()
    seen = {v.name for v in schema.variables if v.role in {"virtual", "sensor"}}
    shown = [name for name in schema.shown if args.all or name in seen]
    print(estimate.only([name for name in shown if name in estimate.variables]))


def _quarantine(args: argparse.Namespace) -> None:
    with reached(args) as site:
        if args.json:
            print(site.text("/api/quarantine", limit=str(args.limit)))
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
