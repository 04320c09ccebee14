"""``gemeos validate``: published numbers and recorded data, with goal beside result."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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

from gemeos.errors import GemeosError, SettingsError, nearest

_REACHED = {True: "reached", False: "missed", None: ""}
"""None is told without a goal."""
PIPED_WIDTH = 160


@dataclass(frozen=True, slots=True)
class Section:
    """What can be run alone, or as part of a twin's whole validation."""

    title: str
    module: str
    function: str = "validate"
    needs_data: bool = False
    """Recorded data that is not in the package."""
    has_ablations: bool = False


SECTIONS = {
    "forecasts": Section(
        "forecasts and nowcasts of recorded months",
        "gemeos.twins.windfarm.validate",
        needs_data=True,
        has_ablations=True,
    ),
    "yaw": Section(
        "yaw angles beside FLORIS's own", "gemeos.twins.windfarm.validate_plans", "validate_yaw"
    ),
    "layout": Section(
        "published energies and a layout",
        "gemeos.twins.windfarm.validate_plans",
        "validate_layout",
    ),
    "ledger": Section("applied plans at a plant", "gemeos.twins.windfarm.ledger_trial"),
    "demand": Section(
        "traffic found from its loops", "gemeos.twins.traffic.validate", needs_data=True
    ),
    "signals": Section(
        "signals, and plans at plants", "gemeos.twins.traffic.validate_signals", needs_data=True
    ),
}
WHOLES: Mapping[str, tuple[str, ...]] = {
    "windfarm": ("forecasts", "yaw", "layout", "ledger"),
    "traffic": ("demand", "signals"),
    "plans": ("yaw", "layout"),
}
"""Names of several sections: the two twins, and what of the wind farm needs no plant."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What ``validate`` takes."""
    wholes = "; ".join(f"{name} ({', '.join(parts)})" for name, parts in WHOLES.items())
    parser.add_argument("name", help=f"{wholes}; or one of those parts alone")
    parser.add_argument("--data", type=Path, help="folder of the recorded data")
    parser.add_argument(
        "--ablations",
        action="store_true",
        help="run again without parts of the twin, to tell what each is worth (forecasts)",
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="little of each, in minutes: to see that it works, not how well",
    )
    parser.set_defaults(run=_validate)


def _validate(args: argparse.Namespace) -> int:
    names = _asked(args)
    told: list[dict[str, Any]] = []
    not_run: dict[str, str] = {}
    missed: list[str] = []
    for name in names:
        try:
            checks = _checks(name, args)
        except GemeosError as error:
            if len(names) == 1:
                raise
            not_run[name] = str(error)
            print(f"gemeos: {name} was not run: {error}", file=sys.stderr)
            continue
        told += [{"section": name, **msgspec.to_builtins(check)} for check in checks]
        missed += [check.name for check in checks if check.ok is False]
        if not args.json:
            _print(SECTIONS[name].title, checks)
    if args.json:
        whole = {"checks": told, "not_run": not_run, "quick": args.quick}
        print(msgspec.json.encode(whole).decode())
    return _ending(told, missed, not_run, quick=args.quick)


def _asked(args: argparse.Namespace) -> tuple[str, ...]:
    """The sections, once it is sure that all of them can be begun.

    Raises:
        SettingsError: there is no such name, or data or ablations do not fit.
    """
    known = {**{name: (name,) for name in SECTIONS}, **WHOLES}
    if args.name not in known:
        raise SettingsError(f"There is no validation {args.name!r}.{nearest(args.name, known)}")
    names = known[args.name]
    with_data = [name for name in names if SECTIONS[name].needs_data]
    if with_data and (args.data is None or not args.data.is_dir()):
        given = "" if args.data is None else f" {args.data} is no folder."
        others = [name for name in names if name not in with_data]
        alone = f" Without any run alone: {', '.join(others)}." if others else ""
        raise SettingsError(
            f"{' and '.join(with_data)} of {args.name} need recorded data that is not in the "
            f"package; name its folder with --data.{given}{alone}"
            if args.name in WHOLES
            else f"{args.name} is validated on recorded data that is not in the package; name its "
            f"folder with --data.{given}"
        )
    if args.ablations and not any(SECTIONS[name].has_ablations for name in names):
        raise SettingsError(f"{args.name} has no ablations. Leave --ablations out.")
    return names


def _checks(name: str, args: argparse.Namespace) -> Sequence[Any]:
    section = SECTIONS[name]
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    shown = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
    with shown as progress:
        task = progress.add_task(f"validating {name}", total=None)
        checks: Sequence[Any] = getattr(importlib.import_module(section.module), section.function)(
            args.data,
            ablations=args.ablations and section.has_ablations,
            quick=args.quick,
            tell=lambda done, total: progress.update(task, completed=done, total=total),
        )
    return checks


def _print(title: str, checks: Sequence[Any]) -> None:
    table = Table(title=title, title_justify="left")
    for heading in ("check", "measured", "goal", "", "how"):
        table.add_column(heading, overflow="fold")
    for check in checks:
        reached = _REACHED[check.ok]
        table.add_row(check.name, str(check.measured), str(check.goal), reached, check.how)
    out = Console()
    # What is piped has no edge of a screen to keep to.
    (out if out.is_terminal else Console(width=PIPED_WIDTH)).print(table)


def _ending(
    told: Sequence[Mapping[str, Any]],
    missed: Sequence[str],
    not_run: Mapping[str, str],
    *,
    quick: bool,
) -> int:
    """The exit code, and on standard error what it says."""
    if not told:
        return 1
    judged = sum(check["ok"] is not None for check in told)
    reached = f"gemeos: {judged - len(missed)} of {judged} goals reached"
    if missed:
        reached += f"; missed: {'; '.join(missed)}"
    if not_run:
        reached += f"; not run: {', '.join(not_run)}"
    if quick:
        reached += ". With --quick this shows that it works, not how well"
    print(f"{reached}.", file=sys.stderr)
    return 1 if not_run or (missed and not quick) else 0
