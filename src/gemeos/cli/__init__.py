"""The command line: the only place that reads arguments and environment, and prints."""

from gemeos.cli.main import main

__all__ = ["main"]
