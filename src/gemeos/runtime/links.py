"""Links as they are declared: what site.toml or a program says of a connection, not yet open."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, Self
from urllib.parse import unquote, urlsplit

from gemeos.errors import SettingsError
from gemeos.link.base import Source
from gemeos.link.decode import Decoder
from gemeos.link.format import MessageFormat, PlantTopics, TimeForm
from gemeos.link.http import InboxSource
from gemeos.link.message import Limits
from gemeos.link.mqtt import Broker, MqttSource, MqttVersion, Tls
from gemeos.link.poll import Poll, PollSource
from gemeos.link.replay import FileSource, FileTable
from gemeos.runtime.site import LinkContext
from gemeos.units import span

MQTT_PORT = 1883
MQTTS_PORT = 8883


@dataclass(frozen=True, slots=True, kw_only=True)
class MqttLink:
    """Messages of a broker."""

    name: str
    broker: str
    """``mqtt://host:port`` or ``mqtts://host:port``; ``user@`` before the host."""
    message: tuple[MessageFormat, ...]
    """What the messages look like; of several that fit a topic the first counts."""
    plant: PlantTopics | None = None
    """What a replayed plant says beside its readings."""
    unwanted: tuple[str, ...] = ()
    """Patterns as in ``*/Wa_avg`` of channels that come with the rest and are not wanted: they
    are let go, where another channel that nothing is bound to goes to quarantine."""
    client_id: str = "gemeos"
    password_file: str | None = None
    """File whose first line is the password: no secret stands in site.toml."""
    ca: str | None = None
    """Certificates that the broker's is checked against; the system's where left out."""
    certificate: str | None = None
    key: str | None = None
    version: MqttVersion = MqttVersion.V311
    lossy: bool = False
    largest_payload: int = 1 << 20
    """Bytes; a larger message goes to quarantine."""
    ahead: str = "1 h"
    """How far a reading may be ahead of site time before it is held for a wrong clock."""

    def beside(self, folder: Path) -> Self:
        """The same, its files found from ``folder``."""
        return replace(
            self,
            password_file=beside(folder, self.password_file),
            ca=beside(folder, self.ca),
            certificate=beside(folder, self.certificate),
            key=beside(folder, self.key),
        )

    def open(self, context: LinkContext) -> Source:
        """The source, not yet connected.

        Raises:
            SettingsError: the broker's address or the password's file cannot be used.
        """
        decoder = Decoder(
            self.message,
            context.channels(self.name, self.unwanted),
            context.clock,
            limits=Limits(payload=self.largest_payload, tolerance=span(self.ahead)),
            plant=self.plant,
            receipts=context.receipts,
        )
        return MqttSource(self._address(), decoder, context.clock, lossy=self.lossy)

    def _address(self) -> Broker:
        return broker_of(f"link.{self.name}", self)


class AtBroker(Protocol):
    """What is declared of somebody's place at a broker."""

    @property
    def broker(self) -> str:
        """``mqtt://host:port`` or ``mqtts://host:port``; ``user@`` before the host."""
        ...

    @property
    def client_id(self) -> str:
        """Who we are there."""
        ...

    @property
    def password_file(self) -> str | None:
        """File whose first line is the password."""
        ...

    @property
    def ca(self) -> str | None:
        """Certificates that the broker's is checked against."""
        ...

    @property
    def certificate(self) -> str | None:
        """Ours."""
        ...

    @property
    def key(self) -> str | None:
        """Ours."""
        ...

    @property
    def version(self) -> MqttVersion:
        """Of the protocol."""
        ...


def broker_of(where: str, declared: AtBroker) -> Broker:
    """The broker that is declared; ``where`` is for telling.

    Raises:
        SettingsError: its address or the password's file cannot be used.
    """
    told = urlsplit(declared.broker)
    if told.scheme not in {"mqtt", "mqtts"} or not told.hostname:
        raise SettingsError(
            f"{where} broker = {declared.broker!r}: write 'mqtt://host:1883', or "
            "'mqtts://host:8883' for TLS."
        )
    if told.password is not None:
        raise SettingsError(
            f"{where}: a password does not belong into an address; write it into a "
            "file and name that with password_file."
        )
    secure = told.scheme == "mqtts"
    return Broker(
        host=told.hostname,
        port=told.port or (MQTTS_PORT if secure else MQTT_PORT),
        client_id=declared.client_id,
        user=None if told.username is None else unquote(told.username),
        password=_password(where, declared.password_file),
        tls=Tls(declared.ca, declared.certificate, declared.key) if secure else None,
        version=declared.version,
    )


def _password(where: str, file: str | None) -> str | None:
    if file is None:
        return None
    try:
        return Path(file).read_text(encoding="utf-8").split("\n", 1)[0].strip()
    except OSError as error:
        raise SettingsError(f"{where} password_file: {error}.") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class FileLink:
    """A recorded file, gone through once as if it were lived."""

    name: str
    path: str
    """CSV or Parquet; a pattern such as ``scada/*.parquet`` for several."""
    time: str
    """The column of times."""
    channel: str = "{tag}"
    """Template of the channel, as in ``{Wind_turbine_name}/{tag}``."""
    value: str | None = None
    """The column of values where each row is one reading; None where each tag has a column."""
    zone: str | None = None
    """IANA zone of times without an offset."""
    form: TimeForm = TimeForm.ISO
    interval: str = "0 s"
    """What a reading covers, as in ``10 min``; nothing for instants."""
    stamped_at_start: bool = False
    pace: float | None = None
    """Recorded seconds a second; as fast as they are taken where left out."""

    def beside(self, folder: Path) -> Self:
        """The same, its file found from ``folder``."""
        return replace(self, path=str(folder / self.path))

    def open(self, context: LinkContext) -> Source:
        """The source, behind what is stored of it already."""
        table = FileTable(
            path=self.path,
            time=self.time,
            channel=self.channel,
            value=self.value,
            form=self.form,
            zone=self.zone,
            interval=span(self.interval),
            stamped_at_start=self.stamped_at_start,
        )
        return FileSource(
            table,
            context.channels(self.name),
            context.clock,
            since=context.newest,
            pace=self.pace,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpLink:
    """What is posted to ``/api/links/<name>/readings``."""

    name: str

    def beside(self, folder: Path) -> Self:  # noqa: ARG002 -- it names no files
        """The same."""
        return self

    def open(self, context: LinkContext) -> Source:  # noqa: ARG002 -- the route decodes
        """The source that the route puts into."""
        return InboxSource(self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class PollLink:
    """What a function answers when asked: only in programs, a file cannot name one."""

    name: str
    poll: Poll
    every: str = "1 s"

    def open(self, context: LinkContext) -> Source:
        """The source."""
        return PollSource(
            self.name,
            self.poll,
            every=span(self.every),
            channels=context.channels(self.name),
            clock=context.clock,
        )


def beside(folder: Path, file: str | None) -> str | None:
    """A file that is named from that folder."""
    return None if file is None else str(folder / file)
