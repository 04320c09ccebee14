"""``gemeos sheet``: signals' cycles as a controller engineer types them in."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from gemeos.cli.reach import add_site, only, reached
from gemeos.errors import InputError, UnknownNameError
from gemeos.units import quantity

if TYPE_CHECKING:
    from gemeos.twins.traffic.decisions import Cabinets

FORMS: Final = ("text", "csv", "sumo")


def add_sheet(parser: argparse.ArgumentParser) -> None:
    """What ``sheet`` takes."""
    add_site(parser)
    parser.add_argument(
        "settings",
        nargs="*",
        metavar="CONTROL=SECONDS",
        help="as in C3_phase0='42 s'; in place of a plan of a site",
    )
    parser.add_argument("--district", type=Path, required=True, help="folder of its description")
    parser.add_argument("--plan", help="take the settings from that plan of the site")
    parser.add_argument("--twin", help="whose plan; may be left out where there is one")
    parser.add_argument("--as", dest="form", choices=FORMS, default="text")
    parser.add_argument("--name", help="of the sheet's plan; by default the plan's, or 'plan'")
    parser.add_argument("--hours", default="00:00-24:00", help="when it runs, as in 06:00-22:00")
    parser.set_defaults(run=_sheet)


def _sheet(args: argparse.Namespace) -> None:
    if bool(args.plan) == bool(args.settings):
        raise InputError("Say either --plan NAME or settings as in C3_phase0='42 s'.")
    begins, dash, ends = args.hours.partition("-")
    if not dash:
        raise InputError(f"--hours {args.hours!r} is not written as in 06:00-22:00.")
    # Not at once: all commands would be slower to begin.
    from gemeos.twins.traffic.decisions import cabinets  # noqa: PLC0415
    from gemeos.twins.traffic.district import read_district  # noqa: PLC0415
    from gemeos.twins.traffic.signals import controlled, sheet  # noqa: PLC0415

    write = dict(zip(FORMS, (sheet.text, sheet.comma_separated, sheet.xml), strict=True))
    district = read_district(args.district)
    junctions = controlled(district.network, district.limits)
    told = _of_plan(args) if args.plan else dict(_setting(word) for word in args.settings)
    places = cabinets(junctions, district.limits)
    plans = places.plans(_in_bounds(told, places))
    name = args.name or args.plan or "plan"
    print(write[args.form](junctions, [sheet.Hours(name, plans, begins, ends)]), end="")


def _of_plan(args: argparse.Namespace) -> dict[str, float]:
    with reached(args) as site:
        plan = site[args.twin or only(site)].plans.record(args.plan).plan
    return {control: _seconds(control, text) for control, text in plan.changes.items()}


def _setting(word: str) -> tuple[str, float]:
    control, equals, text = word.partition("=")
    if not equals:
        raise InputError(f"{word!r} is no setting. Write CONTROL=SECONDS, as in C3_phase0='42 s'.")
    return control.strip(), _seconds(control, text.strip())


def _seconds(control: str, text: str) -> float:
    """One number for all the time: a sheet has no courses.

    Raises:
        InputError: it is something else.
    """
    try:
        return float(text)
    except ValueError:
        pass
    try:
        return quantity(text).within("s")
    except InputError as error:
        raise InputError(
            f"{control} = {text!r} is not one time, as a timing sheet has it."
        ) from error


def _in_bounds(told: Mapping[str, float], of: Cabinets) -> Mapping[str, float]:
    """The same.

    Raises:
        UnknownNameError: a signal has no such control.
        InputError: a limit of the signal is not kept.
    """
    places = {place.control: place for place in of.places}
    for control, seconds in told.items():
        if control not in places:
            raise UnknownNameError("control", control, places, where="the district")
        place = places[control]
        if not place.least <= seconds <= place.most:
            raise InputError(
                f"{control} = {seconds:g} s; signal {place.signal} allows {place.least:g} to "
                f"{place.most:g} s."
            )
    return told
