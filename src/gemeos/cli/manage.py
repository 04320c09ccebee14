"""``gemeos check`` and ``gemeos token``: what an operator does besides asking."""

from __future__ import annotations

import argparse
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from gemeos.cli.declared import declared
from gemeos.runtime.settings import Settings
from gemeos.serve.auth import Role, TokenFile


def add_check(parser: argparse.ArgumentParser) -> None:
    """What ``check`` takes."""
    parser.add_argument("site", nargs="?", type=Path, default=Path("site.toml"))
    parser.set_defaults(run=_check)


def _check(args: argparse.Namespace) -> None:
    settings = declared(args.site)
    links = [link.name for link in settings.site.links]
    checked = {
        "site": settings.site.name,
        "clock": settings.site.source,
        "store": None if settings.site.store is None else str(settings.site.store),
        "links": links,
        "twins": [
            {
                "name": twin.name,
                "model": twin.schema.name,
                "identity": twin.simulator.identity,
                "computed": type(twin.simulator).__name__,
                "step_s": twin.schema.step_s,
                "members": twin.members,
                "variables": len(twin.schema.variables),
                "channels": len(twin.bindings),
            }
            for twin in settings.site.twins
        ],
        "idle_limits": settings.site.idle_limits,
    }
    if args.json:
        print(msgspec.json.encode(checked).decode())
        return
    console = Console()
    console.print(f"{args.site} can be run: [bold]{settings.site.name}[/bold], {checked['clock']}.")
    console.print(f"Links: {', '.join(links) or 'none'}. Store: {checked['store'] or 'memory'}.")
    table = Table()
    for heading in ("twin", "model", "computed by", "step", "members", "variables", "channels"):
        table.add_column(heading)
    for twin in settings.site.twins:
        table.add_row(
            twin.name,
            twin.schema.name,
            type(twin.simulator).__name__,
            f"{twin.schema.step_s:g} s",
            str(twin.members),
            str(len(twin.schema.variables)),
            str(len(twin.bindings)),
        )
    console.print(table)
    for told in settings.site.idle_limits:
        console.print(told, markup=False)


def add_token(parser: argparse.ArgumentParser) -> None:
    """What ``token`` takes."""
    parser.add_argument("action", choices=("new", "list", "revoke"))
    parser.add_argument("name", nargs="?", help="of the token")
    parser.add_argument("--role", choices=[r.value for r in Role], default=Role.VIEWER.value)
    parser.add_argument("--twin", action="append", help="a twin it may ask; all where left out")
    parser.add_argument("--site", type=Path, default=Path("site.toml"))
    parser.set_defaults(run=_token)


def _token(args: argparse.Namespace) -> int:
    tokens = _tokens(declared(args.site))
    match args.action:
        case "list":
            return _list(tokens, args)
        case "new" if args.name:
            secret = tokens.create(args.name, Role(args.role), scope=args.twin)
            if args.json:
                print(msgspec.json.encode({"name": args.name, "secret": secret}).decode())
            else:
                print(f"{secret}\nThis is shown once; only its hash is kept.")
            return 0
        case "revoke" if args.name:
            tokens.revoke(args.name)
            return 0
        case _:
            print("gemeos: which token? Give its name.")
            return 2


def _list(tokens: TokenFile, args: argparse.Namespace) -> int:
    told = [token.told() for token in tokens.listed()]
    if args.json:
        print(msgspec.json.encode(told).decode())
        return 0
    table = Table()
    for heading in ("name", "role", "scope", "created", "revoked"):
        table.add_column(heading)
    for row in told:
        table.add_row(
            *(str(row[key] or "") for key in ("name", "role", "scope", "created", "revoked"))
        )
    Console().print(table)
    return 0


def _tokens(settings: Settings) -> TokenFile:
    return TokenFile(settings.path.resolve().parent / settings.serving.tokens)
