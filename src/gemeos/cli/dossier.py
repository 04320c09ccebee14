"""Dossiers on the command line: written of a running site's plan, worked out anew anywhere."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from gemeos.cli.declared import declared
from gemeos.cli.reach import add_site, only, reached
from gemeos.errors import SettingsError, UnknownNameError
from gemeos.runtime.dossier import Dossier
from gemeos.runtime.recheck import rechecked
from gemeos.runtime.settings_twin import made_of
from gemeos.runtime.twin import Twin


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What ``dossier`` takes."""
    add_site(parser)
    parser.add_argument("plan", help="a plan's name; with --check a dossier's file")
    parser.add_argument("--twin", help="its name; may be left out where there is one")
    parser.add_argument("--to", type=Path, help="the file; PLAN.dossier where left out")
    parser.add_argument(
        "--check", action="store_true", help="work out anew all that is in a file, without a site"
    )
    parser.add_argument(
        "--model", help="for --check: the model, as in boiler:Boiler; else that of --site's twin"
    )
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    return _checked(args) if args.check else _written(args)


def _written(args: argparse.Namespace) -> int:
    with reached(args) as site:
        content = site[args.twin or only(site)].plans.dossier(args.plan)
    path = args.to or Path(f"{args.plan}.dossier")
    try:
        path.write_bytes(content)
    except OSError as error:
        raise SettingsError(f"{path} cannot be written: {error}.") from error
    print(f"{path}: {len(content)} bytes")
    return 0


def _checked(args: argparse.Namespace) -> int:
    """1 where anything comes out otherwise."""
    try:
        dossier = Dossier.from_bytes(Path(args.plan).read_bytes())
    except OSError as error:
        raise SettingsError(f"{args.plan} cannot be read: {error}.") from error
    findings = rechecked(dossier, _twin(args, dossier))
    if args.json:
        print(msgspec.json.encode(findings).decode())
    else:
        told = dossier.told
        print(f"{told.plan.plan.name} of {told.twin.name}, by {told.site}; model {told.twin.model}")
        table = Table("worked out anew", "is", "")
        for each in findings:
            table.add_row(each.what, each.word, each.told)
        Console().print(table)
    return 1 if any(each.same is False for each in findings) else 0


def _twin(args: argparse.Namespace, dossier: Dossier) -> Twin:
    """Its model is what counts.

    Raises:
        SettingsError: there is none.
    """
    told = dossier.told.twin
    if args.model is not None:
        if "." not in sys.path:
            sys.path.insert(0, ".")
        made = made_of(args.model, "--model")
        # A declared model, or a function that makes a twin, as `type` in site.toml.
        twin = Twin(told.name, made) if isinstance(made, type) else made(told.name)
        if not isinstance(twin, Twin):
            raise SettingsError(f"--model = {args.model!r} made no twin.")
        return twin
    if not args.site.exists():
        raise SettingsError(
            f"The model of this dossier is {told.model} ({told.identity[:16]}), which is not in "
            "it. Name it with --model, or a site.toml that declares the twin with --site."
        )
    twins = {twin.name: twin for twin in declared(args.site).site.twins}
    if told.name not in twins:
        raise UnknownNameError("twin", told.name, twins, where=str(args.site))
    return twins[told.name]
