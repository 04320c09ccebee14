"""What-ifs from the command line: scenarios beside doing nothing, searches, hindcasts."""

from __future__ import annotations

import argparse
import datetime as dt
import math
import time
from urllib.parse import quote

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from gemeos.cli.reach import add_site, only, reached
from gemeos.ensemble.marginal import told
from gemeos.errors import InputError
from gemeos.runtime.advice import DEFAULT_RUNS
from gemeos.runtime.asked import LONGEST_WAIT_S
from gemeos.runtime.asks_what_if import free_name, through
from gemeos.runtime.futures import Hindsight, Searches, WhatIfs
from gemeos.runtime.optimisation import DEFAULT_BUDGET
from gemeos.runtime.scenario import ScenarioRecord
from gemeos.serve.client import ConnectedTwin, Connection
from gemeos.serve.connected_named import waited
from gemeos.units import iso, span_told, zone
from gemeos.units.instant import SECOND

COMMANDS = {
    "scenario": "What would be if something were done, beside doing nothing.",
    "optimise": "Search for the best plan, and say whether it is to be taken.",
    "hindcast": "What a twin would have warned of or advised in the past, by what was known then.",
    "scenarios": "The scenarios of a twin: list them, see one, cancel or drop it.",
}
LOOK_EVERY_S = 0.2


def add_arguments(name: str, parser: argparse.ArgumentParser) -> None:
    """What each takes."""
    add_site(parser)
    parser.add_argument("--on", help="the variables to tell, separated by commas")
    if name.startswith("scenario"):
        parser.add_argument("--against", metavar="NAME", help="tell it beside that scenario")
    if name == "scenarios":
        parser.add_argument("twin", nargs="?", help="its name; may be left out where there is one")
        chosen = parser.add_mutually_exclusive_group()
        chosen.add_argument("--show", metavar="NAME", help="tell one, beside doing nothing")
        chosen.add_argument("--cancel", metavar="NAME", help="end one that is run")
        chosen.add_argument("--drop", metavar="NAME", help="delete one")
        parser.set_defaults(run=_scenarios)
        return
    if name == "optimise":
        _add_optimise(parser)
        return
    if name == "hindcast":
        _add_hindcast(parser)
        return
    parser.add_argument(
        "changes",
        nargs="*",
        metavar="[TWIN] CHANGE",
        help='as in wind="ramp to 200 km/h over 2 h" T2=renewed; first the twin, where there are '
        "several",
    )
    parser.add_argument("--name", help="to keep it under; by default the first one that is free")
    parser.add_argument("--until", default="6 h", help="how far ahead, as in '6 h'")
    parser.add_argument("--hours", type=float, help="the same in hours")
    parser.add_argument("--every", help="time between two instants")
    parser.add_argument("--members", type=int, help="how many to run")
    parser.add_argument("--at", help="begin at that past moment instead of now")
    parser.add_argument("--known-by", help="with --at: only what was known then")
    parser.add_argument("--budget", help="the time it may take, as in '10 s'")
    parser.add_argument("--replace", action="store_true", help="take the place of one so named")
    parser.set_defaults(run=_scenario)


def _add_optimise(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "over",
        nargs="+",
        metavar="[TWIN] CHOICE",
        help="as in valve='0 .. 1' pump='0 kW, 5 kW'; first the twin, where there are several",
    )
    _add_sought(parser)
    parser.add_argument("--name", help="to keep it under; by default the first one that is free")
    parser.add_argument("--until", default="6 h", help="how far ahead plans are judged")
    parser.add_argument("--every", help="time between two instants that are looked at")
    parser.add_argument("--budget", default=DEFAULT_BUDGET, help="as in '20 s' or '5000 runs'")
    parser.add_argument(
        "--cost", default="", help="what plans cost, as in 'total(power) * 0.3 1/kWh'; told only"
    )
    parser.add_argument(
        "--present",
        metavar="NAME",
        help="the optimisation whose advice was followed; '' where no plan is in force; by default "
        "the plan that was applied",
    )
    parser.add_argument("--seed", type=int, default=0, help="of what the search draws")
    parser.add_argument("--replace", action="store_true", help="take the place of one so named")
    parser.set_defaults(run=_optimise)


def _add_sought(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--minimise", action="append", default=[], help="as in 'mean(max(level))'")
    parser.add_argument("--maximise", action="append", default=[], help="as in 'total(power)'")
    parser.add_argument(
        "--subject-to", action="append", default=[], help="as in 'P(level < 1 m) < 0.01'"
    )


def _optimise(args: argparse.Namespace) -> None:
    with reached(args) as site:
        words = list(args.over)
        name = words.pop(0) if "=" not in words[0] else only(site)
        twin = site[name]
        searches = twin.optimisations
        plan = args.name or free_name("plan", (r.name for r in searches.all()))
        searches.begin(
            plan,
            dict(_change(word) for word in words),
            until=args.until,
            minimise=args.minimise,
            maximise=args.maximise,
            subject_to=args.subject_to,
            every=args.every,
            budget=args.budget,
            cost=args.cost,
            present=args.present,
            seed=args.seed,
            replacing=args.replace,
        )
        _wait(plan, searches, quiet=args.json)
        if args.json:
            path = f"/api/twins/{quote(name, safe='')}/optimisations/{quote(plan, safe='')}"
            print(site.text(path))
            return
        record = through(searches.record(plan))
        took = f"{record.took / SECOND:.3g} s"
        print(
            f"{plan} of {name}, {record.tried} candidates, {record.ran} runs, {took}: "
            f"{record.method}"
        )
        print(record.told)


def _add_hindcast(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "condition", nargs="?", default="", help="what would be warned of, as in 'level > 2 m'"
    )
    parser.add_argument("--twin", help="its name; may be left out where there is one")
    parser.add_argument(
        "--within", default="1 h", help="how far each warning reaches, or plans are judged"
    )
    parser.add_argument("--likely", type=float, default=0.5, help="the chance that is enough")
    parser.add_argument("--since", required=True, help="where it begins, ISO 8601")
    parser.add_argument("--until", required=True, help="where it ends")
    parser.add_argument(
        "--every",
        help="time between two issues; by default a sixth of --within, of advice all of it",
    )
    parser.add_argument(
        "--over",
        action="append",
        default=[],
        metavar="CHOICE",
        help="ask for advice instead: what may be chosen, as in valve='0 .. 1'",
    )
    _add_sought(parser)
    parser.add_argument("--look-every", help="time between two instants that plans are judged by")
    parser.add_argument("--budget", default=DEFAULT_RUNS, help="of each search")
    parser.add_argument("--name", help="to keep it under; by default the first one that is free")
    parser.set_defaults(run=_hindcast)


def _hindcast(args: argparse.Namespace) -> None:
    with reached(args) as site:
        twin = site[args.twin or only(site)]
        hindsight = twin.hindcasts
        name = args.name or free_name("hindcast", (r.name for r in hindsight.all()))
        hindsight.begin(
            name,
            args.condition,
            within=args.within,
            since=args.since,
            until=args.until,
            likely=args.likely,
            every=args.every,
            over=dict(_change(word) for word in args.over),
            minimise=args.minimise,
            maximise=args.maximise,
            subject_to=args.subject_to,
            look_every=args.look_every,
            budget=args.budget,
        )
        _wait(name, hindsight, quiet=args.json)
        if args.json:
            path = f"/api/twins/{quote(twin.name, safe='')}/hindcasts/{quote(name, safe='')}"
            print(site.text(path))
            return
        print(through(hindsight.record(name)).told)


def _scenario(args: argparse.Namespace) -> None:
    with reached(args) as site:
        words = list(args.changes)
        name = words.pop(0) if words and "=" not in words[0] else only(site)
        twin = site[name]
        record = twin.scenarios.begin(
            args.name or free_name("scenario", (r.name for r in twin.scenarios.all())),
            dict(_change(word) for word in words),
            until=args.until if args.hours is None else f"{args.hours} h",
            every=args.every,
            members=args.members,
            at=args.at,
            known_by=args.known_by,
            budget=args.budget,
            replacing=args.replace,
        )
        _wait(record.name, twin.scenarios, quiet=args.json)
        _show(site, twin, record.name, args)


def _scenarios(args: argparse.Namespace) -> None:
    with reached(args) as site:
        twin = site[args.twin or only(site)]
        if args.show:
            _show(site, twin, args.show, args)
        elif args.drop:
            twin.scenarios.drop(args.drop)
        elif args.cancel:
            print(_line(twin.scenarios.cancel(args.cancel), zone(site.site().zone)))
        elif args.json:
            print(site.text(f"/api/twins/{quote(twin.name, safe='')}/scenarios"))
        else:
            told = _table(twin, zone(site.site().zone))
            Console().print(told if told.row_count else f"{twin.name} has no scenario yet.")


def _change(word: str) -> tuple[str, str]:
    name, equals, change = word.partition("=")
    if not equals:
        raise InputError(f"{word!r} is no change. Write NAME=CHANGE, as in wind='30 m/s'.")
    return name.strip(), change.strip()


def _wait(name: str, asked: WhatIfs | Searches | Hindsight, *, quiet: bool) -> None:
    """Until it is over, with how far it is. Ctrl-C leaves it running: it has a name."""
    columns = (TextColumn(name), BarColumn(), TextColumn("{task.percentage:.0f} %"))
    with Progress(*columns, TimeRemainingColumn(), transient=True, disable=quiet) as progress:
        bar = progress.add_task(name, total=1.0)
        end = time.monotonic() + LONGEST_WAIT_S
        pause = 0.02
        while time.monotonic() < end:
            done = asked.progress(name)
            progress.update(bar, completed=done)
            if asked.record(name).progress.is_over:
                return
            time.sleep(pause)
            pause = min(2 * pause, LOOK_EVERY_S)


def _show(site: Connection, twin: ConnectedTwin, name: str, args: argparse.Namespace) -> None:
    if args.json:
        path = f"/api/twins/{quote(twin.name, safe='')}/scenarios/{quote(name, safe='')}"
        # Of one that is stored the answer is made again, which may take as long as it took first.
        print(waited(lambda: site.text(f"{path}/estimate", variables=args.on), LONGEST_WAIT_S))
        return
    schema = twin.schema()
    seen = [v.name for v in schema.variables if v.role in {"virtual", "sensor"}]
    names = args.on.split(",") if args.on else [n for n in schema.shown if n in seen]
    record = twin.scenarios.record(name)
    print(_line(record, zone(site.site().zone)))
    table = Table(box=None, padding=(0, 2, 0, 0), title_justify="left")
    beside = args.against or "doing nothing"
    for heading in ("at the end", beside, name, "difference", "90 % within", "unit"):
        is_name = heading == "at the end"
        table.add_column(
            heading,
            justify="left" if is_name else "right",
            overflow="fold" if is_name else "ellipsis",
        )
    when, paired = "", 0
    for each in names:
        compared = twin.scenarios.compare(name, on=each.strip(), against=args.against)
        difference = compared.difference
        paired = difference.members.shape[1]
        mean, sd, within = told(difference, -1)
        values = []
        for estimate in (compared.before, compared.after):
            one = estimate.at(int(difference.times[-1]))[each.strip()]
            values.append(" +- ".join(told(one, -1)[:2]))
        moved = f"{mean} +- {sd}" if not math.isclose(float(difference.sd[-1]), 0.0) else mean
        table.add_row(each, *values, moved, within, difference.unit or "1")
        when = iso(int(difference.times[-1]), zone=zone(compared.after.zone))
    missing = f" (left out: {record.missing})" if record.missing else ""
    table.title = f"{twin.name} at {when}, {paired} members, paired{missing}"
    Console().print(table)


def _table(twin: ConnectedTwin, here: dt.tzinfo) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    for heading in ("name", "is", "members", "from", "ahead", "by", "changes"):
        table.add_column(heading, overflow="fold")
    for record in twin.scenarios.all():
        table.add_row(
            record.name,
            record.progress.value,
            f"{record.ran} of {record.members}",
            iso(record.forked_at, zone=here),
            span_told(record.until),
            record.actor,
            record.changed,
        )
    return table


def _line(record: ScenarioRecord, here: dt.tzinfo) -> str:
    why = f" ({record.reason})" if record.reason else ""
    return (
        f"{record.name} of {record.twin} is {record.progress.value}{why}: {record.changed}; "
        f"{span_told(record.until)} from {iso(record.forked_at, zone=here)}"
    )
