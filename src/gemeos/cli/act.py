"""Plans on the command line: make, approve, apply; kill switches; the ledger; why it moved."""

from __future__ import annotations

import argparse
import time
from typing import Final
from urllib.parse import quote

from rich.console import Console

from gemeos.act.undertaking import Stage, Undertaking
from gemeos.cli.reach import add_site, only, reached
from gemeos.cli.show import table_of
from gemeos.errors import InputError, SettingsError
from gemeos.runtime.plan import Applied
from gemeos.schema.command import CommandState
from gemeos.schema.plan import Gain
from gemeos.serve.client import ConnectedTwin
from gemeos.serve.connected_plans import ME
from gemeos.units import iso, zone
from gemeos.units.instant import SECOND

COMMANDS: Final = {
    "plans": "The plans of a twin, who approved them, and how far each is.",
    "plan": "Make a plan of what a search found, or of a scenario that sets controls.",
    "approve": "Let a plan be applied, by you or by others.",
    "apply": "What a plan would send and what speaks against it; with --really, carry it out.",
    "stop": "Engage a twin's or the site's kill switch: nothing is sent, nothing restored.",
    "ledger": "What applied plans promised, what they delivered, and whether promises are kept.",
    "why": "Why a control stands where it does, or stood at a moment.",
}
LOOK_EVERY_S: Final = 0.2
LONGEST_S: Final = 60.0
"""How long ``apply --really`` waits for what devices say."""


def add_arguments(name: str, parser: argparse.ArgumentParser) -> None:
    """What each takes."""
    add_site(parser)
    parser.add_argument("--twin", help="its name; may be left out where there is one")
    if name == "plans":
        chosen = parser.add_mutually_exclusive_group()
        chosen.add_argument("--show", metavar="NAME", help="tell one whole")
        chosen.add_argument("--drop", metavar="NAME", help="delete one")
        parser.set_defaults(run=_plans)
    elif name == "plan":
        made = parser.add_mutually_exclusive_group(required=True)
        made.add_argument("--optimisation", metavar="NAME", help="the search; its name is kept")
        made.add_argument("--scenario", metavar="NAME", help="the scenario")
        parser.add_argument("--name", help="of the plan of a scenario; by default its own")
        parser.add_argument("--on", default="", help="what reality is held against, with commas")
        parser.add_argument("--share", type=float, default=0.9, help="what the bands hold")
        parser.add_argument("--expires", default="10 min", help="how long it may be begun")
        parser.add_argument("--replace", action="store_true", help="take the place of one so named")
        parser.set_defaults(run=_plan)
    elif name == "approve":
        parser.add_argument("plan", help="its name")
        parser.set_defaults(run=_approve)
    elif name == "apply":
        parser.add_argument("plan", help="its name")
        parser.add_argument("--approve", action="store_true", help="approve it, too")
        parser.add_argument("--really", action="store_true", help="carry it out")
        parser.add_argument("--give-up", action="store_true", help="end it, and restore")
        parser.set_defaults(run=_apply)
    elif name == "stop":
        parser.add_argument("--because", default="", help="in a few words")
        parser.add_argument("--release", action="store_true", help="release it instead")
        parser.add_argument("--all", action="store_true", help="that of the whole site")
        parser.set_defaults(run=_stop)
    elif name == "ledger":
        parser.set_defaults(run=_ledger)
    else:
        parser.add_argument("control", help="its name")
        parser.add_argument("at", nargs="?", help="ISO 8601; now where left out")
        parser.set_defaults(run=_why)


def _plans(args: argparse.Namespace) -> None:
    with reached(args) as site:
        name = args.twin or only(site)
        plans = site[name].plans
        if args.drop:
            plans.drop(args.drop)
            return
        if args.json:
            path = f"/api/twins/{quote(name, safe='')}/plans"
            one = f"/{quote(args.show, safe='')}" if args.show else ""
            print(site.text(path + one))
            return
        if args.show:
            print(repr(plans.record(args.show).plan))
            return
        kept = plans.all()
        if not kept:
            print(f"{name} has no plan yet.")
            return
        table = table_of("plan", "sets", "from", "approved by", "stands")
        for record in kept:
            plan, undertaking = record.plan, plans.undertaking(record.plan.name)
            sets = "; ".join(f"{control} = {text}" for control, text in plan.changes.items())
            stands = "not applied" if undertaking is None else undertaking.stage.value
            table.add_row(plan.name, sets, plan.cause, ", ".join(record.approved_by), stands)
        Console().print(table)


def _plan(args: argparse.Namespace) -> None:
    if args.optimisation and args.name:
        raise InputError("A plan of a search has the name of the search: leave out --name.")
    with reached(args) as site:
        name = args.twin or only(site)
        plans = site[name].plans
        on = [each.strip() for each in args.on.split(",") if each.strip()]
        further = {"share": args.share, "expires": args.expires, "replacing": args.replace}
        made = (
            plans.of_optimisation(args.optimisation, on=on, **further)
            if args.optimisation
            else plans.of_scenario(args.scenario, name=args.name, on=on, **further)
        )
        if args.json:
            path = f"/api/twins/{quote(name, safe='')}/plans/{quote(made.plan.name, safe='')}"
            print(site.text(path))
            return
        print(repr(made.plan))


def _approve(args: argparse.Namespace) -> None:
    with reached(args) as site:
        record = site[args.twin or only(site)].plans.approve(args.plan, by=ME)
        print(f"{args.plan} is approved by {', '.join(record.approved_by)}.")


def _apply(args: argparse.Namespace) -> int:
    with reached(args) as site:
        twin = site[args.twin or only(site)]
        if args.give_up:
            ended = twin.plans.give_up(args.plan)
            print("It was never applied." if ended is None else ended.reason)
            return 0
        told = twin.plans.apply(
            args.plan, approve=ME if args.approve else None, dry_run=not args.really
        )
        for command in told.commands:
            unit = "" if command.choices else f" {command.unit}"
            print(f"{command.control} = {command.told(command.value)}{unit}")
        return _carried(twin, args.plan) if args.really else _dry(told)


def _dry(told: Applied) -> int:
    if told.against:
        print("Nothing was sent, and nothing would be:")
        print("\n".join(f"  {reason}" for reason in told.against))
        return 1
    print("Nothing was sent. It would be sent with --really.")
    return 0


def _carried(twin: ConnectedTwin, plan: str) -> int:
    """Wait until devices have said something to what was sent first; 1 where it failed."""
    ends = time.monotonic() + LONGEST_S
    undertaking = twin.plans.undertaking(plan)
    while undertaking is not None and not _is_answered(undertaking):
        if time.monotonic() > ends:
            break
        time.sleep(LOOK_EVERY_S)
        undertaking = twin.plans.undertaking(plan)
    if undertaking is None:
        return 1
    for issued in undertaking.issued:
        print(f"{issued.command.control}: {issued.state.value} {issued.why}".rstrip())
    print(f"{plan} is {undertaking.stage.value}. {undertaking.reason}".rstrip())
    return 0 if undertaking.stage in {Stage.UNDER_WAY, Stage.KEPT} else 1


def _is_answered(undertaking: Undertaking) -> bool:
    first = undertaking.issued[0].state
    return undertaking.stage.is_over or not (first is CommandState.DECIDED or first.is_open)


def _stop(args: argparse.Namespace) -> None:
    if args.all and args.twin:
        raise InputError("One switch is of the whole site, --all, the other of one twin, --twin.")
    with reached(args) as site:
        if args.all:
            if args.release:
                print("Released." if site.release_site() else "It was not engaged.")
            else:
                print(site.stop_site(why=args.because).told)
            return
        if not args.twin and len(site.names) != 1:
            raise SettingsError(
                f"Which switch? That of the whole site is --all, that of one twin --twin NAME. "
                f"There are: {', '.join(site.names)}."
            )
        plans = site[args.twin or only(site)].plans
        if args.release:
            print("Released." if plans.release() else "It was not engaged.")
        else:
            print(plans.stop(why=args.because).told)


def _ledger(args: argparse.Namespace) -> None:
    with reached(args) as site:
        if args.json:
            of = f"/api/twins/{quote(args.twin, safe='')}/ledger" if args.twin else "/api/ledger"
            print(site.text(of))
            return
        told = site[args.twin].plans.ledger() if args.twin else site.ledger()
        if not told.rows:
            print("No plan was applied yet.")
            return
        here = zone(site.site().zone)
        table = table_of("plan", "twin", "applied", "by", "promised", "delivered", "inside?")
        table.columns[2].no_wrap = True  # a time is one word
        for row in told.rows:
            score = row.score
            table.add_row(
                row.name,
                row.twin,
                iso(row.applied_at - row.applied_at % SECOND, zone=here),
                row.by,
                _gain(None if row.promise is None else row.promise.gain),
                _gain(None if score is None else score.delivered),
                _INSIDE[None if score is None else score.inside],
            )
        Console().print(table)
        for row in told.rows:
            print(f"{row.name}: {row.told}")
        print(told.told)


_INSIDE: Final = {None: "", True: "yes", False: "NO"}


def _gain(told: Gain | None) -> str:
    """With its interval."""
    if told is None:
        return "-"
    return f"{told.mean:.4g} {told.unit} ({told.low:.4g} to {told.high:.4g})"


def _why(args: argparse.Namespace) -> None:
    with reached(args) as site:
        name = args.twin or only(site)
        at = args.at or site.site().now
        if args.json:
            path = f"/api/twins/{quote(name, safe='')}/why"
            print(site.text(path, control=args.control, at=at))
            return
        print(site[name].why(args.control, at))
