"""What the twin of the boiler believes; ``boiler.toml`` ties it to ``boiler_plant.py``."""

from __future__ import annotations

import gemeos as gm


@gm.model(dt="1 s")
class Boiler:
    """One body of water: the heater warms it, and the room cools it the more the hotter it is."""

    water: float = gm.state("degC", gm.normal(70, 20), noise=0.03)
    loss: float = gm.param("W/K", gm.lognormal(1.5, 0.3))
    heater: float = gm.control("W", bounds=(0, 600), default=0.0)
    room: float = gm.input("degC", default=20.0)

    def step(self, dt: float) -> Boiler:
        heat = self.heater - self.loss * (self.water - self.room)
        return Boiler(water=self.water + dt * heat / 500)  # J/K of water and steel

    @gm.sensor("degC", noise=0.15)
    def thermometer(self) -> float:
        return self.water
