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

import importlib
import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

import msgspec

from gemeos.errors import InputError, SettingsError, nearest
from gemeos.runtime.actuation import ActuatorLink
from gemeos.runtime.actuator_links import MqttActuatorLink
from gemeos.runtime.adopted import adopted
from gemeos.runtime.engine_model import EngineModel
from gemeos.runtime.links import FileLink, HttpLink, MqttLink
from gemeos.runtime.site import ClockDomain, Link, Replay, Site, WallTime
from gemeos.runtime.twin import Twin
from gemeos.simulate.base import Simulator
from gemeos.units import instant, span

_T = TypeVar("_T")
Table = Mapping[str, object]

_LINKS: Mapping[str, type[MqttLink | FileLink | HttpLink]] = {
    "mqtt": MqttLink,
    "file": FileLink,
    "http": HttpLink,
}

_ACTUATORS: Mapping[str, type[MqttActuatorLink]] = {"mqtt": MqttActuatorLink}

_TWIN_ARGUMENTS = (
    "members",
    "seed",
    "consts",
    "horizon",
    "lateness",
    "remember",
    "leads",
    "score",
    "forecast_every",
    "show",
    "foresee_inputs",
)


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
class _WatchTable:
    condition: str
    within: str
    likely: float = 0.5
    every: str | None = None


@dataclass(frozen=True, slots=True)
class _ClockTable:
    start: str
    label: str
    speed: float = 1.0


@dataclass(frozen=True, slots=True)
class _BindTable:
    channel: str
    to: str
    unit: str | None = None
    noise: str | None = None
    scale: float = 1.0
    offset: float = 0.0
    since: str | None = None


@dataclass(frozen=True, slots=True)
class _ActTable:
    place: str
    to: str
    unit: str | None = None
    least: str | None = None
    most: str | None = None
    rate: str | None = None
    interlocks: tuple[str, ...] = ()
    tolerance: str | None = None
    pace: str = "1 min"


@dataclass(frozen=True, slots=True)
class _ApplyTable:
    approvers: tuple[str, ...] = ()
    role: str = "approver"
    four_eyes: bool = False
    oldest_state: str = "10 min"
    watch: str = "30 min"
    settle: str = "10 s"
    answer_within: str = "5 s"
    lasting: str = "1 min"


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
    _known(told, {"site", "clock", "serve", "link", "twin", "actuator"}, str(path))
    if "site" not in told:
        raise SettingsError(f"{path} has no [site] table with the site's name.")
    table = _as(_SiteTable, _table(told, "site", path), f"{path} [site]")
    here = path.resolve().parent
    fmus = _Fmus(here)
    site = Site(
        name=table.name,
        twins=tuple(
            _twin(name, t, f"{path} [twin.{name}]", fmus) for name, t in _many(told, "twin", path)
        ),
        links=tuple(
            _link(name, t, f"{path} [link.{name}]", here) for name, t in _many(told, "link", path)
        ),
        actuators=tuple(
            _actuator(name, t, f"{path} [actuator.{name}]", here)
            for name, t in _many(told, "actuator", path)
        ),
        clock=_clock(told, path),
        zone=table.zone,
        store=None if table.store is None else here / table.store,
        keyframes_every=span(table.keyframes_every),
        notes=table.notes,
    )
    serving = _as(Serving, _table(told, "serve", path), f"{path} [serve]")
    return Settings(site, serving, path)


def _clock(told: Table, path: Path) -> ClockDomain:
    if "clock" not in told:
        return WallTime()
    table = _as(_ClockTable, _table(told, "clock", path), f"{path} [clock]")
    return Replay(instant(table.start), table.speed, table.label)


def _link(name: str, told: Table, where: str, here: Path) -> Link:
    kind = told.get("kind")
    if not isinstance(kind, str) or kind not in _LINKS:
        raise SettingsError(f"{where} kind = {kind!r}.{nearest(str(kind), _LINKS)}")
    rest = {k: v for k, v in told.items() if k != "kind"}
    return _as(_LINKS[kind], {**rest, "name": name}, where).beside(here)


def _actuator(name: str, told: Table, where: str, here: Path) -> ActuatorLink:
    kind = told.get("kind")
    if not isinstance(kind, str) or kind not in _ACTUATORS:
        raise SettingsError(f"{where} kind = {kind!r}.{nearest(str(kind), _ACTUATORS)}")
    rest = {k: v for k, v in told.items() if k != "kind"}
    return _as(_ACTUATORS[kind], {**rest, "name": name}, where).beside(here)


@dataclass(frozen=True, slots=True)
class _Fmus:
    """Those that were opened: twins of one share it, and its processes."""

    here: Path
    opened: dict[Path, Simulator | EngineModel] = field(default_factory=dict)

    def model(self, description: str) -> Simulator | EngineModel:
        """Opening it takes about a second."""
        path = (self.here / description).resolve()
        if path not in self.opened:
            self.opened[path] = adopted(path)
        return self.opened[path]


def _twin(name: str, told: Table, where: str, fmus: _Fmus) -> Twin:
    keys = {"type", "model", "with", "bind", "watch", "act", "apply", *_TWIN_ARGUMENTS}
    _known(told, keys, where)
    given: dict[str, Any] = {k: told[k] for k in _TWIN_ARGUMENTS if k in told}
    twin = (
        _adopted(name, told, given, where, fmus)
        if "model" in told
        else _typed(name, told, given, where)
    )
    _bind(twin, told.get("bind", []), where)
    _watch(twin, told.get("watch", {}), where)
    _act(twin, told, where)
    return twin


def _adopted(name: str, told: Table, given: Mapping[str, Any], where: str, fmus: _Fmus) -> Twin:
    """A twin of an FMU."""
    model = told["model"]
    if not isinstance(model, str):
        raise SettingsError(f"{where} model = {model!r} is not the path of a description.")
    for other in ("type", "with"):
        if other in told:
            raise SettingsError(f"{where} has a model, so it has no {other!r}.")
    try:
        return Twin(name, fmus.model(model), **given)
    except TypeError as error:
        raise SettingsError(f"{where} model {model}: {error}.") from error
    except InputError as error:
        raise SettingsError(f"{where} model {model}: {error}") from error


def _typed(name: str, told: Table, given: Mapping[str, Any], where: str) -> Twin:
    kind = told.get("type")
    if not isinstance(kind, str) or ":" not in kind:
        raise SettingsError(f"{where} type = {kind!r} does not name one: write 'module:name'.")
    made = made_of(kind, f"{where} type")
    extra = told.get("with", {})
    if not isinstance(extra, dict):
        raise SettingsError(f"{where} with = {extra!r} is not a table of arguments.")
    try:
        if isinstance(made, (type, EngineModel)):
            twin = Twin(name, made, **given, **extra)
        else:
            twin = made(name, **given, **extra)
    except TypeError as error:
        raise SettingsError(f"{where} type {kind}: {error}.") from error
    if not isinstance(twin, Twin):
        raise SettingsError(f"{where} type {kind} made a {type(twin).__name__}, not a twin.")
    return twin


def _bind(twin: Twin, binds: object, where: str) -> None:
    if not isinstance(binds, list):
        raise SettingsError(f"{where} bind is written [[twin.{twin.name}.bind]], once a channel.")
    for each in binds:
        bind = _as(_BindTable, each, f"{where} bind")
        try:
            twin.bind(
                bind.channel,
                to=bind.to,
                unit=bind.unit,
                noise=bind.noise,
                scale=bind.scale,
                offset=bind.offset,
                since=bind.since,
            )
        except InputError as error:
            raise SettingsError(f"{where} bind {bind.channel!r}: {error}") from error


def _act(twin: Twin, told: Table, where: str) -> None:
    """Which controls are set, and how its plans are carried out."""
    acts = told.get("act", [])
    if not isinstance(acts, list):
        raise SettingsError(f"{where} act is written [[twin.{twin.name}.act]], once a control.")
    for each in acts:
        act = _as(_ActTable, each, f"{where} act")
        try:
            twin.actuate(
                act.place,
                to=act.to,
                unit=act.unit,
                least=act.least,
                most=act.most,
                rate=act.rate,
                interlocks=act.interlocks,
                tolerance=act.tolerance,
                pace=act.pace,
            )
        except InputError as error:
            raise SettingsError(f"{where} act {act.place!r}: {error}") from error
    if "apply" not in told:
        return
    conduct = _as(_ApplyTable, told["apply"], f"{where} apply")
    try:
        twin.conducted(**asdict(conduct))
    except InputError as error:
        raise SettingsError(f"{where} apply: {error}") from error


def _watch(twin: Twin, told: object, where: str) -> None:
    if not isinstance(told, dict):
        raise SettingsError(f"{where} watch is written [twin.{twin.name}.watch.NAME].")
    for name, each in told.items():
        watch = _as(_WatchTable, each, f"{where} watch {name!r}")
        try:
            twin.watch(
                name, watch.condition, within=watch.within, likely=watch.likely, every=watch.every
            )
        except InputError as error:
            raise SettingsError(f"{where} watch {name!r}: {error}") from error


def made_of(name: str, where: str) -> Any:  # noqa: ANN401 -- whatever the user's module holds
    """What ``module:name`` stands for, in a module that the user named.

    Raises:
        SettingsError: it is not there.
    """
    module, _, attribute = name.partition(":")
    try:
        return getattr(importlib.import_module(module), attribute)
    except ImportError as error:
        raise SettingsError(f"{where} = {name!r}: {error}.") from error
    except AttributeError as error:
        known = [n for n in dir(importlib.import_module(module)) if not n.startswith("_")]
        raise SettingsError(
            f"{where} = {name!r}: {module} has no {attribute!r}.{nearest(attribute, known)}"
        ) from error


def _many(told: Table, key: str, path: Path) -> list[tuple[str, Table]]:
    tables = _table(told, key, path)
    for name, table in tables.items():
        if not isinstance(table, dict):
            raise SettingsError(f"{path} {key}.{name} = {table!r} is not a table [{key}.{name}].")
    return [(n, t) for n, t in tables.items() if isinstance(t, dict)]


def _table(told: Table, key: str, path: Path) -> Table:
    table = told.get(key, {})
    if not isinstance(table, dict):
        raise SettingsError(f"{path} {key} = {table!r} is not a table [{key}].")
    return table


def _known(told: Table, known: set[str], where: str) -> None:
    for key in told:
        if key not in known:
            raise SettingsError(f"{where} has no key {key!r}.{nearest(key, known)}")


def _as(kind: type[_T], told: object, where: str) -> _T:
    """``told`` as that dataclass.

    Raises:
        SettingsError: an unknown key, a missing one, or a value of another kind.
    """
    if not isinstance(told, dict):
        raise SettingsError(f"{where} is {told!r}, not a table.")
    _known_deep(kind, told, where)
    try:
        return msgspec.convert(told, kind)
    except msgspec.ValidationError as error:
        raise SettingsError(f"{where}: {error}.") from error


def _known_deep(kind: Any, told: object, where: str) -> None:  # noqa: ANN401 -- any annotation
    """Refuse keys that a dataclass lacks, also in the tables inside it, and missing ones."""
    if get_origin(kind) is tuple and isinstance(told, list):
        for place, each in enumerate(told):
            _known_deep(get_args(kind)[0], each, f"{where}[{place}]")
        return
    for each in get_args(kind):
        if is_dataclass(each):
            kind = each
    if not (is_dataclass(kind) and isinstance(told, dict)):
        return
    hints = get_type_hints(kind)
    _known(told, {f.name for f in fields(kind)}, where)
    for f in fields(kind):
        if f.name in told:
            _known_deep(hints[f.name], told[f.name], f"{where} {f.name}")
        elif f.default is MISSING and f.default_factory is MISSING:
            raise SettingsError(f"{where} lacks {f.name!r}.")
