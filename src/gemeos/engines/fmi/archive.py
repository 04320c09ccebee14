"""A look into an FMU before any of it is executed."""

from __future__ import annotations

import platform
import sys
import zipfile
from pathlib import Path
from typing import Final

from gemeos.errors import EngineError

DESCRIPTION: Final = "modelDescription.xml"
_SYSTEMS: Final = {"linux": "linux", "darwin": "darwin", "win32": "win"}
_FMI3_SYSTEMS: Final = {"linux": "linux", "darwin": "darwin", "win32": "windows"}
_MACHINES: Final = {"amd64": "x86_64", "arm64": "aarch64"}


def interfaces(path: Path) -> frozenset[str]:
    """Which of ``CoSimulation`` and ``ModelExchange`` it has.

    Raises:
        EngineError: there is no such file, it is no FMU, or none that runs on this machine.
    """
    if not path.is_file():
        raise EngineError(path.name, f"there is no file {path}")
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            if DESCRIPTION not in names:
                raise EngineError(path.name, f"it is no FMU: there is no {DESCRIPTION} in it")
            text = archive.read(DESCRIPTION)
    except (zipfile.BadZipFile, OSError) as error:
        raise EngineError(path.name, f"it is no FMU: {error}") from error
    there = {
        name.split("/")[1] for name in names if name.startswith("binaries/") and name[-1] != "/"
    }
    if there and not there & _here():
        mine = " or ".join(sorted(_here()))
        raise EngineError(
            path.name, f"it has binaries for {', '.join(sorted(there))}; this machine needs {mine}"
        )
    known = ("CoSimulation", "ModelExchange")
    return frozenset(name for name in known if f"<{name}".encode() in text)


def _here() -> set[str]:
    """What FMI 2 and FMI 3 call this machine."""
    machine = platform.machine().lower()
    machine = _MACHINES.get(machine, machine)
    bits = "64" if sys.maxsize > 2**32 else "32"
    return {
        f"{_SYSTEMS.get(sys.platform, sys.platform)}{bits}",
        f"{machine}-{_FMI3_SYSTEMS.get(sys.platform, sys.platform)}",
    }
