"""The programs that come with SUMO, such as netconvert, each run as a child with a time limit."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from gemeos.errors import EngineError

USUAL_LIMIT_S: Final = 600.0
TOLD: Final = 1500
"""Letters of a program's last words that an error repeats."""


def home() -> Path:
    """The folder of SUMO's own files.

    Raises:
        EngineError: SUMO is not installed.
    """
    if importlib.util.find_spec("sumo") is None:
        raise EngineError("SUMO", "it is not there. Install it: pip install 'gemeos[sumo]'.")
    import sumo  # noqa: PLC0415 - an extra

    return Path(sumo.SUMO_HOME)


def run_program(
    name: str, arguments: Sequence[str | Path], *, limit_s: float = USUAL_LIMIT_S
) -> str:
    """Run one of SUMO's programs and wait until it ends.

    Args:
        name: As in ``netconvert``.
        arguments: What it is given.
        limit_s: Seconds after which it is killed.

    Returns:
        What it said: warnings, mostly.

    Raises:
        EngineError: it is not there, ended with an error, or took too long; with its words.
    """
    # Without this it would look for schemas in the network.
    never = ("--xml-validation", "never")
    return _run(name, [home() / "bin" / name, *arguments, *never], limit_s)


def run_tool(name: str, arguments: Sequence[str | Path], *, limit_s: float = USUAL_LIMIT_S) -> str:
    """Run one of SUMO's tools in Python, such as ``routeSampler.py``, and wait until it ends.

    Arguments, answer and errors as of ``run_program``.
    """
    return _run(name, [sys.executable, home() / "tools" / name, *arguments], limit_s)


def _run(name: str, command: Sequence[str | Path], limit_s: float) -> str:
    try:
        ended = subprocess.run(  # noqa: S603 -- a program of SUMO's wheel
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=limit_s,
            check=False,
        )
    except OSError as error:
        raise EngineError("SUMO", f"its program {name} cannot be run: {error}.") from error
    except subprocess.TimeoutExpired as error:
        why = f"its program {name} was not done after {limit_s:g} s, and was ended."
        raise EngineError("SUMO", why) from error
    said = (ended.stdout + ended.stderr).decode("utf-8", "replace").strip()
    if ended.returncode != 0:
        why = f"its program {name} ended with code {ended.returncode}: {said[-TOLD:]}"
        raise EngineError("SUMO", why)
    return said
