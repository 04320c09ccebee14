"""A district as a twin that lives in a site: demand found from counts, signals that plans may set.

What is unknown are the factors of ``demand.unknowns``; what moves it is SUMO with the district's
own programmes, or fixed plans in their place; what is read are the counts of its loops.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from gemeos.runtime.twin import Twin
from gemeos.twins.traffic.district import COUNT, SPEED, District
from gemeos.twins.traffic.physics import Described, described
from gemeos.twins.traffic.view import SCORED_LEADS, SHOWN, scene_of

MEMBERS: Final = 24


def twin(  # noqa: PLR0913 -- each is one word of the declaration, by keyword
    name: str,
    *,
    district: str | Path | District,
    members: int = MEMBERS,
    seed: int = 0,
    link: str = "plant",
    actuator: str | None = "cabinets",
    signals: Sequence[str] | None = None,
    window: str = "10 min",
    stride: str = "5 min",
    warm_up: str = "10 min",
    begins: str | None = None,
    horizon: str = "1 h",
    lateness: str = "0 s",
    leads: Sequence[str] = SCORED_LEADS,
    forecast_every: str | None = None,
) -> Twin:
    """A twin of that district, its channels bound and its signals tied to their cabinets.

    Args:
        name: How everything else names it.
        district: Folder of a ``district.toml``, or a description that was read already.
        members: Size of the ensemble.
        seed: Of its noise.
        link: Name of the link that its channels come through.
        actuator: Name of what sets its signals; None where nothing does.
        signals: Those that plans may set; all where left out.
        window: As in ``EngineModel``.
        stride: As in ``EngineModel``.
        warm_up: As in ``EngineModel``. Cycles are where they are at the district's ``begin_s``
            when it begins, unless ``begins`` tells better.
        begins: The moment that the district's ``begin_s`` stands for, as in
            ``2026-03-02T07:00+01:00``. Fixed programmes then stand where the real ones do, and
            demand is believed to rise and fall as the files' trips do.
        horizon: As in ``Twin``.
        lateness: As in ``Twin``.
        leads: As in ``Twin``; of all counts.
        forecast_every: As in ``Twin``.

    Raises:
        SchemaError: the description cannot be read, or does not fit together.
        EngineError: SUMO's tools find no way through it.
    """
    made = described(
        district,
        signals=signals,
        window=window,
        stride=stride,
        warm_up=warm_up,
        begins=begins,
    )
    return tied(
        Twin(
            name,
            made.model,
            members=members,
            seed=seed,
            horizon=horizon,
            lateness=lateness,
            leads=leads,
            score=list(made.counts.values()) if leads else (),
            forecast_every=forecast_every,
            show=SHOWN,
        ),
        made,
        link=link,
        actuator=actuator,
    )


def tied(made: Twin, of: Described, *, link: str, actuator: str | None) -> Twin:
    """With its channels bound as the description names them, and its signals set through one."""
    made.draw(scene_of(of))
    for quantity, names in ((COUNT, of.counts), (SPEED, of.speeds)):
        for detector, sensor in names.items():
            form = of.district.channels[quantity]
            made.bind(
                f"{link}:{form.of(detector)}",
                to=sensor,
                unit=form.unit,
                scale=form.scale,
                offset=form.offset,
            )
    for place in of.cabinets.places if actuator else ():
        made.bind(f"{link}:{place.channel}", to=place.control, unit="s")
        made.actuate(f"{actuator}:{place.at_device}", to=place.control, tolerance="0.5 s")
    return made
