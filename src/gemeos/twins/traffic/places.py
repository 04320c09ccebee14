"""Which districts a folder holds, described already or as SUMO's files alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from gemeos.errors import InputError
from gemeos.twins.traffic.district import DESCRIPTION, District, read_district
from gemeos.twins.traffic.sources.bring import CONFIGURATION, Wanted, bring

LOOPS_BEFORE_M: Final = 30.0
"""Before each signal, where a district has no detectors of its own."""


def places_of(folder: Path, known: Sequence[str] = ()) -> list[Path]:
    """Folders of districts, or of one SUMO configuration.

    Args:
        folder: One of these, or one that has them in its folders.
        known: Folders in it that are taken alone, where there is one of them.

    Raises:
        InputError: there is none.
    """
    if taken := [folder / name for name in known if (folder / name).is_dir()]:
        return taken
    own = [folder, *sorted(p for p in folder.iterdir() if p.is_dir())]
    found = [p for p in own if (p / DESCRIPTION).is_file() or len(_configurations(p)) == 1]
    if not found:
        several = next((p for p in own if len(_configurations(p)) > 1), None)
        why = (
            ""
            if several is None
            else f" {several} has {len(_configurations(several))} configurations of SUMO."
        )
        raise InputError(
            f"Neither {folder} nor a folder in it describes a district.{why} Make a description: "
            "gemeos import traffic FILE... --to FOLDER."
        )
    return found


def described_in(place: Path, desk: Path) -> tuple[District, Path]:
    """A district and its folder; of SUMO's files one is made in ``desk``, with loops assumed."""
    if (place / DESCRIPTION).is_file():
        return read_district(place), place
    made = desk / place.resolve().name
    wanted = Wanted(loops_before_m=LOOPS_BEFORE_M)
    return bring(_configurations(place), made, wanted), made


def _configurations(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"*{CONFIGURATION}"))
