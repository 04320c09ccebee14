"""What can be typed, and how an error is told to the one who typed it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib.metadata import version

from gemeos.cli import (
    act,
    adopt,
    ask,
    bring,
    demo,
    dossier,
    export,
    kept,
    manage,
    sheet,
    up,
    validate,
    whatif,
)
from gemeos.errors import GemeosError


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit code is 0, or 1 with the reason on standard error."""
    args = parser().parse_args(argv)
    try:
        return int(args.run(args) or 0)
    except GemeosError as error:
        print(f"gemeos: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader of our output (head, less) went away: not worth a traceback.
        sys.stderr.close()
        return 141


def parser() -> argparse.ArgumentParser:
    """The grammar of the command line."""
    top = argparse.ArgumentParser(
        prog="gemeos", description="Digital twins, kept in step with their originals."
    )
    top.add_argument("--version", action="version", version=f"gemeos {version('gemeos')}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, text: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=text, description=text)
        made.add_argument("--json", action="store_true", help="print JSON and nothing else")
        return made

    up.add_arguments(command("up", "Run the site that a site.toml declares."))
    adopt.add_arguments(command("adopt", "Make a site with a twin of an FMU."))
    demo.add_arguments(
        command("demo", "Run a demo site: a recorded wind farm lived again, or simulated traffic.")
    )
    export.add_arguments(command("export", "Write a declared model as an FMU."))
    for name, text in ask.COMMANDS.items():
        ask.add_arguments(name, command(name, text))
    for name, text in whatif.COMMANDS.items():
        whatif.add_arguments(name, command(name, text))
    for name, text in kept.COMMANDS.items():
        kept.add_arguments(command(name, text))
    for name, text in act.COMMANDS.items():
        act.add_arguments(name, command(name, text))
    told = "All that led to a plan and came of it, as one file; --check works it out anew."
    dossier.add_arguments(command("dossier", told))
    validate.add_arguments(command("validate", "Run published numbers and recorded data."))
    bring.add_import(command("import", "Make what a city has into files that a twin reads."))
    sheet.add_sheet(command("sheet", "Signals' cycles as a controller engineer types them in."))
    manage.add_check(command("check", "Look whether a site.toml can be run, and say what it does."))
    manage.add_token(command("token", "Make, list and revoke the tokens of a site."))
    return top
