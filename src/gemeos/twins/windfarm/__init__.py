"""The wind farm twin: any farm that files describe."""

from __future__ import annotations

from typing import Final

from gemeos.engines.floris.settings import check_installed
from gemeos.errors import UnknownNameError
from gemeos.runtime.twin import Twin
from gemeos.twins.windfarm.farm import Farm, farm, read_farm
from gemeos.twins.windfarm.physics import Wakes, WindFarm
from gemeos.twins.windfarm.view import SCORED_LEADS, panels

__all__ = ["MEMBERS", "Farm", "Wakes", "WindFarm", "bound", "farm", "read_farm", "twin"]

MEMBERS: Final = 128
"""Twice the usual: in 2014 power that is not heard is then told with errors smaller by 3 to 5 %,
from its turbine's other channels or from the other turbines; the winds of four turbines are read
by eight sensors at once, and chance correlations in a small ensemble cost most there."""

_BOUND: Final = {
    "power": ("power", "heard_power"),
    "wind": ("wind", "heard_wind"),
    "vane": ("vane",),
    "pitch": ("pitch",),
    "yaw": ("yaw",),
    "temperature": ("temperature", "heard_temperature"),
}
"""Variables of a turbine that each tag is bound to. A reading may both be compared with what was
expected and say in what condition the turbine is."""


def twin(  # noqa: PLR0913 -- each is one thing that is declared, by keyword
    name: str,
    *,
    farm: str | Farm,
    members: int = MEMBERS,
    seed: int = 0,
    link: str = "scada",
    horizon: str | None = None,
    lateness: str = "0 s",
    wakes: str = "gaussian",
) -> Twin:
    """A twin of that farm with all channels bound that its description names.

    Args:
        name: How everything else names it.
        farm: Name of a farm that comes with the package, path of a ``farm.toml`` or its folder, or
            a description that was read already.
        members: Size of the ensemble.
        seed: Of its noise.
        link: Name of the link that its channels come through.
        horizon: As in ``Twin``.
        lateness: As in ``Twin``.
        wakes: ``gaussian``, our own; ``floris``, those of FLORIS (``gemeos[floris]``); ``none``.

    Raises:
        SchemaError: no such farm, or its description does not fit together.
        UnknownNameError: there are no such wakes.
        EngineError: FLORIS is asked for, and not installed.
    """
    described = farm if isinstance(farm, Farm) else _named(farm)
    if wakes not in {each.value for each in Wakes}:
        raise UnknownNameError("wakes", wakes, [each.value for each in Wakes], where=name)
    if wakes == Wakes.FLORIS.value:
        check_installed()
    return bound(
        name,
        WindFarm(described, wakes=Wakes(wakes)),
        members=members,
        seed=seed,
        link=link,
        horizon=horizon,
        lateness=lateness,
    )


def bound(
    name: str,
    model: WindFarm,
    *,
    members: int = MEMBERS,
    seed: int = 0,
    link: str = "scada",
    horizon: str | None = None,
    lateness: str = "0 s",
) -> Twin:
    """The same of a model that stands already."""
    made = Twin(
        name,
        model,
        members=members,
        seed=seed,
        horizon=horizon,
        lateness=lateness,
        leads=SCORED_LEADS,
        score=[f"{turbine.name}.power" for turbine in model.farm.turbines],
        forecast_every="1 h",
        show=[variable for panel in panels(model.farm) for variable in panel.variables],
    )
    for turbine in model.farm.turbines:
        for tag, form in model.farm.channels.items():
            for variable in _BOUND[tag]:
                made.bind(
                    f"{link}:{form.of(turbine.name)}",
                    to=f"{turbine.name}.{variable}",
                    unit=form.unit,
                    scale=form.scale,
                    offset=form.offset,
                )
    return made


def _named(which: str) -> Farm:
    return farm(which)
