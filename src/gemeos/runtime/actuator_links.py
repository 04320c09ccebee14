"""Connections to devices as they are declared: what site.toml or a program says, not yet open."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from gemeos.link.actuate_mqtt import DeviceTopics, MqttActuator
from gemeos.link.base import Actuator
from gemeos.link.mqtt import MqttVersion
from gemeos.runtime.links import beside, broker_of


@dataclass(frozen=True, slots=True, kw_only=True)
class MqttActuatorLink:
    """Devices behind a broker."""

    name: str
    broker: str
    """``mqtt://host:port`` or ``mqtts://host:port``; ``user@`` before the host."""
    topics: DeviceTopics
    client_id: str = "gemeos-act"
    """Not the one of a link: the broker lets only one of a name in."""
    password_file: str | None = None
    """File whose first line is the password: no secret stands in site.toml."""
    ca: str | None = None
    """Certificates that the broker's is checked against; the system's where left out."""
    certificate: str | None = None
    key: str | None = None
    version: MqttVersion = MqttVersion.V311

    def beside(self, folder: Path) -> Self:
        """The same, its files found from ``folder``."""
        return replace(
            self,
            password_file=beside(folder, self.password_file),
            ca=beside(folder, self.ca),
            certificate=beside(folder, self.certificate),
            key=beside(folder, self.key),
        )

    def actuator(self) -> Actuator:
        """The actuator, not yet connected.

        Raises:
            SettingsError: the broker's address or the password's file cannot be used.
        """
        return MqttActuator(self.name, broker_of(f"actuator.{self.name}", self), self.topics)
