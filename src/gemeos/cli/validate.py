"""``gemeos validate``: published numbers and recorded data, with goal beside result."""

from __future__ import annotations

import argparse
import importlib
from pathlib import Path

import msgspec
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from gemeos.errors import SettingsError, nearest

_REACHED = {True: "reached", False: "missed", None: ""}
"""None is told without a goal."""
VALIDATIONS = {
    "plans": "gemeos.twins.windfarm.validate_plans",
    "signals": "gemeos.twins.traffic.validate_signals",
    "traffic": "gemeos.twins.traffic.validate",
    "windfarm": "gemeos.twins.windfarm.validate",
}
QUICK = ("plans", "signals", "traffic")
"""Those that can be run in little time, to see that they work."""
WITHOUT_DATA = ("plans",)
"""Those that need nothing recorded."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What ``validate`` takes."""
    parser.add_argument("name", help=", ".join(VALIDATIONS))
    parser.add_argument("--data", type=Path, help="folder of the recorded data")
    parser.add_argument(
        "--ablations",
        action="store_true",
        help="run again without parts of the twin, to tell what each is worth",
    )
    parser.add_argument(
        "--quick", action="store_true", help=f"little of it, in minutes: {', '.join(QUICK)}"
    )
    parser.set_defaults(run=_validate)


def _validate(args: argparse.Namespace) -> int:
    if args.name not in VALIDATIONS:
        raise SettingsError(
            f"There is no validation {args.name!r}.{nearest(args.name, VALIDATIONS)}"
        )
    if args.name not in WITHOUT_DATA and (args.data is None or not args.data.is_dir()):
        given = "" if args.data is None else f" {args.data} is no folder."
        raise SettingsError(
            f"{args.name} is validated on recorded data that is not in the package; name its "
            f"folder with --data.{given}"
        )
    if args.quick and args.name not in QUICK:
        raise SettingsError(f"{args.name} has no quick validation. Leave --quick out.")
    more = {"quick": True} if args.quick else {}
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(f"validating {args.name}", total=None)
        checks = importlib.import_module(VALIDATIONS[args.name]).validate(
            args.data,
            ablations=args.ablations,
            **more,
            tell=lambda done, total: progress.update(task, completed=done, total=total),
        )
    if args.json:
        print(msgspec.json.encode({"checks": checks}).decode())
        return 0
    table = Table()
    for heading in ("check", "measured", "goal", "", "how"):
        table.add_column(heading, overflow="fold")
    for check in checks:
        reached = _REACHED[check.ok]
        table.add_row(check.name, str(check.measured), str(check.goal), reached, check.how)
    Console().print(table)
    return 0
