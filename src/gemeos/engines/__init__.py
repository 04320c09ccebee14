"""Other people's simulators behind one contract, each in a process that can be killed."""

from gemeos.engines.base import Engine, SupportsFork, SupportsNudge, SupportsSnapshot
from gemeos.engines.outcome import Crashed, Failed, NotFinite, Outcome, TimedOut, Told
from gemeos.engines.spec import Capabilities, Spec

__all__ = [
    "Capabilities",
    "Crashed",
    "Engine",
    "Failed",
    "NotFinite",
    "Outcome",
    "Spec",
    "SupportsFork",
    "SupportsNudge",
    "SupportsSnapshot",
    "TimedOut",
    "Told",
]
