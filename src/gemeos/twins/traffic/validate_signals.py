"""``gemeos validate signals``: rules against each other, limits, and plans at plants."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from gemeos.errors import InputError
from gemeos.twins.traffic.lived import Course, trials
from gemeos.twins.traffic.lived_checks import checks
from gemeos.twins.traffic.places import LOOPS_BEFORE_M, described_in, places_of
from gemeos.twins.traffic.signals.figures import (
    MANY_LANES,
    SEEDS,
    VOID_ABOVE,
    figures,
    of_district,
)
from gemeos.twins.traffic.signals.trial import HOUR_S
from gemeos.twins.traffic.sources.bring import Wanted, bring
from gemeos.twins.windfarm.checks import Check

LIVED: Final = ("cologne1", "ingolstadt1")
"""Where plans are tried at plants."""
REALITIES: Final = 3
QUICK_S: Final = 1200
USUAL: Final = Course()


def validate(
    folder: Path,
    *,
    ablations: bool = False,
    quick: bool = False,
    tell: Callable[[int, int], None] = lambda _done, _total: None,
) -> list[Check]:
    """Every figure of signals.

    Args:
        folder: Of the recorded data, whose networks are in its folder ``resco``; or a district's,
            or one that has districts in its folders: there all rules are held against each other,
            and no plan is tried at a plant.
        ablations: Not to be had here.
        quick: Three seeds and twenty minutes, and one plan at a plant, to see that it works.
            Nothing is shown by that.
        tell: Called now and then with the parts done and those there are.

    Raises:
        InputError: the networks are not there, or ablations are asked for.
    """
    if ablations:
        raise InputError("Rules at signals have no parts to leave out: leave --ablations out.")
    networks = folder / "resco"
    if not networks.is_dir():
        return _elsewhere(folder, tell, quick=quick)
    for name in (*VOID_ABOVE, MANY_LANES[0]):
        if not (networks / name / f"{name}.sumocfg").is_file():
            raise InputError(f"{networks} has no network {name!r}.")
    if quick:
        told = figures(networks, seeds=SEEDS[:3], seconds=QUICK_S, tell=tell)
        return [*told, *at_plants(networks, realities=1, course=Course(origins=1))]
    return [*figures(networks, tell=tell), *at_plants(networks)]


def _elsewhere(folder: Path, tell: Callable[[int, int], None], *, quick: bool) -> list[Check]:
    seeds, seconds = (SEEDS[:3], QUICK_S) if quick else (SEEDS, HOUR_S)
    places = places_of(folder)
    found: list[Check] = []
    for number, place in enumerate(places):

        def step(done: int, total: int, number: int = number) -> None:
            tell(number * total + done, len(places) * total)

        with tempfile.TemporaryDirectory() as desk:
            district, _ = described_in(place, Path(desk))
            found += of_district(district, seeds=seeds, seconds=seconds, tell=step)
    return found


def at_plants(folder: Path, *, realities: int = REALITIES, course: Course = USUAL) -> list[Check]:
    """Plans that twins in sites find, at plants whose traffic nobody knows.

    Args:
        folder: Where the recorded networks are.
        realities: That live, each in its turn.
        course: How plans are tried.
    """
    found: list[Check] = []
    for name in LIVED:
        with tempfile.TemporaryDirectory() as desk:
            made = Path(desk) / name
            bring([folder / name / f"{name}.sumocfg"], made, Wanted(loops_before_m=LOOPS_BEFORE_M))
            tried = [t for _ in range(realities) for t in trials(made, course)]
        found += checks(name, tried, course)
    return found
