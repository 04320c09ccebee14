"""The wind farm twin: any farm that files describe."""

from __future__ import annotations

from typing import Final

from gemeos.runtime.twin import DEFAULT_MEMBERS, Twin
from gemeos.twins.windfarm.farm import Farm, farm, read_farm
from gemeos.twins.windfarm.physics import WindFarm
from gemeos.twins.windfarm.view import SCORED_LEADS, panels

__all__ = ["Farm", "WindFarm", "bound", "farm", "read_farm", "twin"]

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


def twin(
    name: str,
    *,
    farm: str | Farm,
    members: int = DEFAULT_MEMBERS,
    seed: int = 0,
    link: str = "scada",
    horizon: str | None = None,
    lateness: str = "0 s",
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

    Raises:
        SchemaError: no such farm, or its description does not fit together.
    """
    described = farm if isinstance(farm, Farm) else _named(farm)
    return bound(
        name,
        WindFarm(described),
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
    members: int = DEFAULT_MEMBERS,
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
