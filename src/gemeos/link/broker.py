"""Where an MQTT broker is, who we are there, and why it may not want us."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from paho.mqtt.reasoncodes import ReasonCode

from gemeos.errors import SettingsError

REFUSED_FOR_GOOD: Final = frozenset(
    {
        "Bad user name or password",
        "Not authorized",
        "Client identifier not valid",
        "Unsupported protocol version",
        "Banned",
        "Bad authentication method",
    }
)
"""Reasons that trying again does not change, by their names in MQTT 5."""


class MqttVersion(Enum):
    """Versions of the protocol."""

    V311 = "3.1.1"
    V5 = "5"


@dataclass(frozen=True, slots=True)
class Tls:
    """Files in PEM."""

    ca: str | None = None
    """Who vouches for the broker; None for the machine's own list."""
    certificate: str | None = None
    """Ours, where the broker asks for one."""
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Broker:
    """Where the broker is, and who we are there."""

    host: str
    port: int = 1883
    client_id: str = "gemeos"
    """The name of our session: the same at every start, and nobody else's."""
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: Tls | None = None
    version: MqttVersion = MqttVersion.V311
    keepalive: int = 60
    """Seconds."""
    session_expiry: int = 7 * 86400
    """Seconds for which an MQTT 5 broker keeps what we have not acknowledged."""
    first_wait: float = 0.5
    """Seconds before the first attempt to connect again; doubled up to ``longest_wait``."""
    longest_wait: float = 30.0

    def __post_init__(self) -> None:
        if not self.host or not 0 < self.port < 65536:
            raise SettingsError(f"{self.host!r}, port {self.port}: not the address of a broker.")
        if not self.client_id:
            raise SettingsError("Without a client id the broker keeps nothing for us.")

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def refusal(reason: ReasonCode, broker: Broker) -> str:
    """The end of the sentence "the broker ..."."""
    name = reason.getName()
    if name in {"Bad user name or password", "Not authorized"}:
        if broker.user is None:
            return f"wants a user and a password, and none are set ({name})"
        return f"refuses user {broker.user!r}: is the password right? ({name})"
    if name == "Client identifier not valid":
        return f"refuses the client id {broker.client_id!r}"
    return f"refuses the connection: {name}"
