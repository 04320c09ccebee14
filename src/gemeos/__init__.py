"""Gemeos: digital twins kept in step with their originals by live readings.

    import gemeos as gm

Declare a model (``gm.model``), tie it to channels (``gm.Twin``, ``Twin.bind``), run it
(``gm.run``), ask it (``now``, ``at``, ``forecast``, ``scenario``, ``trust``), from this program or,
with ``gm.connect``, from another.
"""

from typing import TYPE_CHECKING

from gemeos.ensemble.compare import Comparison, compare
from gemeos.ensemble.estimate import Estimate
from gemeos.foresee.score import LeadScore
from gemeos.link.actuate_mqtt import DeviceTopics
from gemeos.link.format import MessageFormat, PlantTopics
from gemeos.runtime.actuator_links import MqttActuatorLink
from gemeos.runtime.alert import AlertStanding
from gemeos.runtime.engine_model import (
    EngineControl,
    EngineInput,
    EngineModel,
    EngineParam,
    EngineSensor,
)
from gemeos.runtime.hindcast_record import HindcastRecord
from gemeos.runtime.links import FileLink, HttpLink, MqttLink, PollLink
from gemeos.runtime.optimisation import OptimisationRecord
from gemeos.runtime.phase import Phase
from gemeos.runtime.remembered import Remembered
from gemeos.runtime.run import run
from gemeos.runtime.scenario import ScenarioRecord
from gemeos.runtime.site import Replay, Site, WallTime
from gemeos.runtime.trust import Trust
from gemeos.runtime.twin import Twin
from gemeos.schema.declare import (
    const,
    control,
    input,  # noqa: A004 -- the word of the field; reached as gm.input
    lognormal,
    model,
    normal,
    param,
    sensor,
    state,
    uniform,
    virtual,
    where,
)
from gemeos.schema.intervention import hold, profile, ramp, renewed, times
from gemeos.schema.plan import Plan

if TYPE_CHECKING:
    from gemeos.engines.fmi.export import export_fmu
    from gemeos.serve.client import connect

__all__ = [
    "AlertStanding",
    "Comparison",
    "DeviceTopics",
    "EngineControl",
    "EngineInput",
    "EngineModel",
    "EngineParam",
    "EngineSensor",
    "Estimate",
    "FileLink",
    "HindcastRecord",
    "HttpLink",
    "LeadScore",
    "MessageFormat",
    "MqttActuatorLink",
    "MqttLink",
    "OptimisationRecord",
    "Phase",
    "Plan",
    "PlantTopics",
    "PollLink",
    "Remembered",
    "Replay",
    "ScenarioRecord",
    "Site",
    "Trust",
    "Twin",
    "WallTime",
    "compare",
    "connect",
    "const",
    "control",
    "export_fmu",
    "hold",
    "input",
    "lognormal",
    "model",
    "normal",
    "param",
    "profile",
    "ramp",
    "renewed",
    "run",
    "sensor",
    "state",
    "times",
    "uniform",
    "virtual",
    "where",
]

if not TYPE_CHECKING:  # else a type checker would believe in any name

    def __getattr__(name: str) -> object:
        # The client brings httpx, which a site does not need: imported when it is asked for.
        if name == "connect":
            from gemeos.serve.client import connect  # noqa: PLC0415

            return connect
        if name == "export_fmu":
            from gemeos.engines.fmi.export import export_fmu  # noqa: PLC0415

            return export_fmu
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
