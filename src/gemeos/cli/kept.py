"""Searches and hindcasts that a twin keeps, on the command line: list, tell one, cancel, drop."""

from __future__ import annotations

import argparse
import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from rich.console import Console

from gemeos.cli.reach import add_site, only, reached
from gemeos.cli.show import table_of
from gemeos.runtime.futures import KeptByName
from gemeos.runtime.hindcast_record import HindcastRecord
from gemeos.runtime.optimisation import OptimisationRecord
from gemeos.serve.client import ConnectedTwin
from gemeos.units import iso, span_told, zone

COMMANDS: Final = {
    "optimisations": "The searches of a twin: list them, tell one, cancel or drop it.",
    "hindcasts": "The hindcasts of a twin: list them, tell one, cancel or drop it.",
}


@dataclass(frozen=True, slots=True)
class _Kind:
    """What differs between the two."""

    of: Callable[[ConnectedTwin], KeptByName[Any]]
    headings: tuple[str, ...]
    row: Callable[[Any, dt.tzinfo], tuple[str, ...]]


def _search(record: OptimisationRecord, here: dt.tzinfo) -> tuple[str, ...]:
    return (
        record.name,
        record.progress.value if record.advice is None else record.advice.value,
        f"{record.tried}",
        iso(record.forked_at, zone=here),
        span_told(record.until),
        record.actor,
    )


def _hindcast(record: HindcastRecord, here: dt.tzinfo) -> tuple[str, ...]:
    over = f"{iso(record.since, zone=here)} .. {iso(record.until, zone=here)}"
    advice = record.advice
    if advice is not None:
        asked = f"advice on {', '.join(advice.over)}"
        return record.name, record.progress.value, asked, over, "", ""
    return (
        record.name,
        record.progress.value,
        record.condition,
        over,
        f"{record.hits} of {record.hits + record.misses}",
        f"{record.false_alarms}",
    )


_KINDS: Final[Mapping[str, _Kind]] = {
    "optimisations": _Kind(
        lambda twin: twin.optimisations, ("name", "is", "tried", "from", "ahead", "by"), _search
    ),
    "hindcasts": _Kind(
        lambda twin: twin.hindcasts,
        ("name", "is", "condition", "over", "warned of", "false alarms"),
        _hindcast,
    ),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What each takes."""
    add_site(parser)
    parser.add_argument("twin", nargs="?", help="its name; may be left out where there is one")
    chosen = parser.add_mutually_exclusive_group()
    chosen.add_argument("--show", metavar="NAME", help="tell one whole")
    chosen.add_argument("--cancel", metavar="NAME", help="end one that is run")
    chosen.add_argument("--drop", metavar="NAME", help="delete one")
    parser.set_defaults(run=_kept)


def _kept(args: argparse.Namespace) -> None:
    kind = _KINDS[args.command]
    with reached(args) as site:
        twin = site[args.twin or only(site)]
        kept = kind.of(twin)
        if args.drop:
            kept.drop(args.drop)
        elif args.cancel:
            print(kept.cancel(args.cancel).told)
        elif args.json:
            path = f"/api/twins/{quote(twin.name, safe='')}/{args.command}"
            one = f"/{quote(args.show, safe='')}" if args.show else ""
            print(site.text(path + one))
        elif args.show:
            print(kept.record(args.show).told)
        elif records := kept.all():
            here = zone(site.site().zone)
            table = table_of(*kind.headings)
            for record in records:
                table.add_row(*kind.row(record, here))
            Console().print(table)
        else:
            print(f"{twin.name} has no {args.command} yet.")
