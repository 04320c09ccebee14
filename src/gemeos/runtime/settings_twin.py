"""``[twin.NAME]`` of a site.toml: a twin of a type or an adopted model, with its bindings."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from gemeos.errors import InputError, SettingsError, nearest
from gemeos.runtime.adopted import adopted
from gemeos.runtime.engine_model import EngineModel
from gemeos.runtime.settings_table import Table, only, read_as
from gemeos.runtime.twin import Twin
from gemeos.simulate.base import Simulator

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
class _WatchTable:
    condition: str
    within: str
    likely: float = 0.5
    every: str | None = None


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


@dataclass(frozen=True, slots=True)
class Fmus:
    """Those that were opened: twins of one share it, and its processes."""

    here: Path
    opened: dict[Path, Simulator | EngineModel] = field(default_factory=dict)

    def model(self, description: str) -> Simulator | EngineModel:
        """Opening it takes about a second."""
        path = (self.here / description).resolve()
        if path not in self.opened:
            self.opened[path] = adopted(path)
        return self.opened[path]


TWIN_KEYS: Final = {"type", "model", "with", "bind", "watch", "act", "apply", *_TWIN_ARGUMENTS}
"""Of a table ``[twin.NAME]``."""


def twin_of(name: str, told: Table, where: str, fmus: Fmus) -> Twin:
    """The twin that the table declares.

    Raises:
        SettingsError: an unknown key, no such type or model, or a binding, a control or a condition
            that the twin refuses.
    """
    only(told, TWIN_KEYS, where)
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


def _adopted(name: str, told: Table, given: Mapping[str, Any], where: str, fmus: Fmus) -> Twin:
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
        bind = read_as(_BindTable, each, f"{where} bind")
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
        act = read_as(_ActTable, each, f"{where} act")
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
    conduct = read_as(_ApplyTable, told["apply"], f"{where} apply")
    try:
        twin.conducted(**asdict(conduct))
    except InputError as error:
        raise SettingsError(f"{where} apply: {error}") from error


def _watch(twin: Twin, told: object, where: str) -> None:
    if not isinstance(told, dict):
        raise SettingsError(f"{where} watch is written [twin.{twin.name}.watch.NAME].")
    for name, each in told.items():
        watch = read_as(_WatchTable, each, f"{where} watch {name!r}")
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
