"""site.toml: a site declared in a file. Every key is checked; an unknown one is told with a guess.

::

    [site]
    name = "la-haute-borne"
    zone = "Europe/Paris"
    store = "la-haute-borne.duckdb"        # beside this file

    [clock]                                # leave out for wall time
    start = "2014-01-01T00:00Z"
    speed = 600
    label = "recorded 2014, x600"

    [serve]
    host = "127.0.0.1"
    port = 8000

    [link.scada]
    kind = "mqtt"                          # mqtt, file, http
    broker = "mqtt://127.0.0.1:1883"
    [[link.scada.message]]
    topic = "farm/{turbine}/{tag}"

    [twin.farm]
    type = "gemeos.twins.windfarm:twin"    # a function or a declared model, "module:name"
    with = { farm = "farm.toml" }          # its arguments
    leads = ["10 min", "1 h"]              # forecasts that are held against what happens
    [[twin.farm.bind]]                     # beside what the type binds itself
    channel = "scada:T1/power"
    to = "T1.power"
    [[twin.farm.act]]                      # a control that plans may set
    place = "plc:T1/yaw"
    to = "T1.yaw"
    rate = "10 deg per 10 min"
    interlocks = ["P(T1.wind > 25 m/s) < 0.05"]
    [twin.farm.apply]                      # how its plans are approved and carried out
    approvers = ["ada", "grace"]
    four_eyes = true

    [twin.spring]
    model = "model.toml"                   # in place of type: an FMU, as `gemeos adopt` wrote it

    [actuator.plc]                         # devices; apart from the links that bring readings
    kind = "mqtt"
    broker = "mqtt://127.0.0.1:1883"
    [actuator.plc.topics]
    command = "farm/command/{place}"
    acknowledgement = "farm/acknowledgement"
    reported = "farm/reported/{place}"
    ask = "farm/ask/{place}"
    heartbeat = "farm/heartbeat"
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path

from gemeos.errors import InputError, SettingsError, nearest
from gemeos.runtime.actuation import ActuatorLink
from gemeos.runtime.actuator_links import MqttActuatorLink
from gemeos.runtime.links import FileLink, HttpLink, MqttLink
from gemeos.runtime.settings_table import Table, many, only, read_as, table_of
from gemeos.runtime.settings_twin import TWIN_KEYS, Fmus, twin_of
from gemeos.runtime.site import ClockDomain, Link, Replay, Site, WallTime
from gemeos.units import instant, span

_LINKS: Mapping[str, type[MqttLink | FileLink | HttpLink]] = {
    "mqtt": MqttLink,
    "file": FileLink,
    "http": HttpLink,
}

_ACTUATORS: Mapping[str, type[MqttActuatorLink]] = {"mqtt": MqttActuatorLink}


@dataclass(frozen=True, slots=True)
class Serving:
    """Where a site answers."""

    host: str = "127.0.0.1"
    port: int = 8000
    tokens: str = "tokens.json"
    """File of hashed tokens, beside site.toml."""
    hosts: tuple[str, ...] = ()
    """Further names under which it may be asked (``Host`` header)."""
    loopback_without_token: bool = True


@dataclass(frozen=True, slots=True)
class Settings:
    """What a site.toml says."""

    site: Site
    serving: Serving
    path: Path
    """The file."""


@dataclass(frozen=True, slots=True)
class _SiteTable:
    name: str
    zone: str = "UTC"
    store: str | None = None
    keyframes_every: str = "10 min"
    notes: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _ClockTable:
    start: str
    label: str
    speed: float = 1.0


def _keys(*kinds: type) -> set[str]:
    """Of tables that are read as these; the name of one stands in its heading."""
    return {f.name for kind in kinds for f in fields(kind)}


_ELSEWHERE: Mapping[str, set[str]] = {
    "[site]": _keys(_SiteTable),
    "[clock]": _keys(_ClockTable),
    "[serve]": _keys(Serving),
    "[twin.NAME]": TWIN_KEYS,
    "[link.NAME]": _keys(*_LINKS.values()) - {"name"} | {"kind"},
    "[actuator.NAME]": _keys(*_ACTUATORS.values()) - {"name"} | {"kind"},
}


def read(path: Path) -> Settings:
    """The site that the file declares, checked whole.

    Raises:
        SettingsError: the file is missing, is not TOML, or says something that is not understood.
    """
    try:
        told = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise SettingsError(f"There is no {path}. `gemeos demo` writes an example.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not TOML: {error}.") from error
    try:
        return _settings(told, path)
    except SettingsError:
        raise
    except InputError as error:
        raise SettingsError(f"{path}: {error}") from error


def _settings(told: Table, path: Path) -> Settings:
    only(told, {"site", "clock", "serve", "link", "twin", "actuator"}, str(path), _ELSEWHERE)
    if "site" not in told:
        raise SettingsError(f"{path} has no [site] table with the site's name.")
    table = read_as(_SiteTable, table_of(told, "site", path), f"{path} [site]", _ELSEWHERE)
    here = path.resolve().parent
    fmus = Fmus(here)
    site = Site(
        name=table.name,
        twins=tuple(
            twin_of(name, t, f"{path} [twin.{name}]", fmus) for name, t in many(told, "twin", path)
        ),
        links=tuple(
            _link(name, t, f"{path} [link.{name}]", here) for name, t in many(told, "link", path)
        ),
        actuators=tuple(
            _actuator(name, t, f"{path} [actuator.{name}]", here)
            for name, t in many(told, "actuator", path)
        ),
        clock=_clock(told, path),
        zone=table.zone,
        store=None if table.store is None else here / table.store,
        keyframes_every=span(table.keyframes_every),
        notes=table.notes,
    )
    serving = read_as(Serving, table_of(told, "serve", path), f"{path} [serve]", _ELSEWHERE)
    return Settings(site, serving, path)


def _clock(told: Table, path: Path) -> ClockDomain:
    if "clock" not in told:
        return WallTime()
    table = read_as(_ClockTable, table_of(told, "clock", path), f"{path} [clock]", _ELSEWHERE)
    return Replay(instant(table.start), table.speed, table.label)


def _link(name: str, told: Table, where: str, here: Path) -> Link:
    kind = told.get("kind")
    if not isinstance(kind, str) or kind not in _LINKS:
        raise SettingsError(f"{where} kind = {kind!r}.{nearest(str(kind), _LINKS)}")
    rest = {k: v for k, v in told.items() if k != "kind"}
    return read_as(_LINKS[kind], {**rest, "name": name}, where).beside(here)


def _actuator(name: str, told: Table, where: str, here: Path) -> ActuatorLink:
    kind = told.get("kind")
    if not isinstance(kind, str) or kind not in _ACTUATORS:
        raise SettingsError(f"{where} kind = {kind!r}.{nearest(str(kind), _ACTUATORS)}")
    rest = {k: v for k, v in told.items() if k != "kind"}
    return read_as(_ACTUATORS[kind], {**rest, "name": name}, where).beside(here)
