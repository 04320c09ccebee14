"""The city traffic twin: any district that files describe."""

from gemeos.schema.binding import ChannelForm
from gemeos.twins.traffic.district import (
    District,
    SignalLimits,
    detectors_xml,
    read_district,
)
from gemeos.twins.traffic.network import (
    Connection,
    Coordinates,
    Crossing,
    Detector,
    Edge,
    Junction,
    Lane,
    Network,
    Phase,
    Program,
    Signal,
)
from gemeos.twins.traffic.reading import read_network

__all__ = [
    "ChannelForm",
    "Connection",
    "Coordinates",
    "Crossing",
    "Detector",
    "District",
    "Edge",
    "Junction",
    "Lane",
    "Network",
    "Phase",
    "Program",
    "Signal",
    "SignalLimits",
    "detectors_xml",
    "read_district",
    "read_network",
]
