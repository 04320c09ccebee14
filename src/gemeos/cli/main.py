"""What can be typed, and how an error is told to the one who typed it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from gemeos.cli import ask, demo, manage, up, validate
from gemeos.errors import GemeosError

DEFAULT_URL = "http://127.0.0.1:8000"
DEFAULT_SITE = Path("site.toml")


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
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, text: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=text, description=text)
        made.add_argument("--json", action="store_true", help="print JSON and nothing else")
        return made

    up.add_arguments(command("up", "Run the site that a site.toml declares."))
    demo.add_arguments(command("demo", "Run the demo site: a recorded wind farm, lived again."))
    for name, text in ask.COMMANDS.items():
        asking = command(name, text)
        asking.add_argument("--url", default=DEFAULT_URL, help="the running site")
        asking.add_argument(
            "--site",
            type=Path,
            default=DEFAULT_SITE,
            help="site.toml, for when no site runs: its store is then opened and asked",
        )
        asking.add_argument("--token", help="a file that holds the token's secret")
        ask.add_arguments(name, asking)
    validate.add_arguments(command("validate", "Run published numbers and recorded data."))
    manage.add_check(command("check", "Look whether a site.toml can be run, and say what it does."))
    manage.add_token(command("token", "Make, list and revoke the tokens of a site."))
    return top
