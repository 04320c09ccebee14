"""A district as files describe it: network, signals with their limits, detectors, demand.

Another district needs a ``district.toml`` and SUMO's files beside it, and no Python.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final
from xml.sax.saxutils import quoteattr

from gemeos.engines.sumo import Sumo
from gemeos.errors import SchemaError, UnknownNameError
from gemeos.schema.binding import ChannelForm
from gemeos.twins.traffic.network import Detector, Network, Signal
from gemeos.twins.traffic.reading import LOOPS, elements, fitting, read_network
from gemeos.units.instant import SECOND

DESCRIPTION: Final = "district.toml"
COUNT: Final = "count"
SPEED: Final = "speed"
QUANTITIES: Final = (COUNT, SPEED)
"""What detectors may tell; ``count`` must be."""
KEYS: Final = (
    *("name", "attribution", "sources", "zone", "network", "additional", "detector_files"),
    *("routes", "pool", "counts", "begin_s", "end_s", "step_s", "interval_s"),
    *("channels", "limits", "signals", "detectors"),
)
SAME: Final = 1e-6
NULL: Final = "NUL"
"""Where SUMO writes what nobody wants; it knows the word on every system."""


@dataclass(frozen=True, slots=True)
class SignalLimits:
    """Between what a signal may be set. Times in seconds."""

    minimum_green_s: float = 5.0
    """Shortest green of any light for vehicles."""
    maximum_green_s: float = 120.0
    yellow_s: float | None = None
    """Shortest yellow; None for what the programme shows that runs."""
    all_red_s: float | None = None
    """Shortest time between the end of yellow and the green of who crosses; None as above."""
    minimum_cycle_s: float = 30.0
    maximum_cycle_s: float = 180.0
    maximum_wait_s: float = 300.0
    """The longest that anybody may stand before red."""
    walking_m_per_s: float = 1.0
    """At which pedestrians are given time to cross."""
    walk_s: float = 4.0
    """Green for pedestrians before the time to cross begins."""
    source: str = ""
    """Who says so."""

    def __post_init__(self) -> None:
        for f in fields(self):
            value = getattr(self, f.name)
            if isinstance(value, float | int) and not 0 <= value < 86_400:
                raise SchemaError(f"Limits of signals: {f.name} cannot be {value:g}.")
        for low, high in (
            ("minimum_green_s", "maximum_green_s"),
            ("minimum_cycle_s", "maximum_cycle_s"),
            ("minimum_green_s", "maximum_cycle_s"),
        ):
            if getattr(self, low) > getattr(self, high):
                raise SchemaError(
                    f"Limits of signals contradict each other: {low} {getattr(self, low):g} is "
                    f"above {high} {getattr(self, high):g}."
                )
        if not self.walking_m_per_s > 0:
            raise SchemaError("Limits of signals: walking_m_per_s must be positive.")


USUAL_CHANNELS: Final = {
    "count": ChannelForm("{detector}/count", ""),
    "speed": ChannelForm("{detector}/speed", "m/s"),
}


@dataclass(frozen=True)
class District:
    """Everything that is known of a district before the first reading."""

    name: str
    folder: Path
    net: Path
    """The network's file."""
    network: Network
    additional: tuple[Path, ...] = ()
    """Handed to SUMO as they are; no detectors are in them."""
    routes: tuple[Path, ...] = ()
    """Vehicles, trips or flows with their times: what demand is believed to be before anything was
    counted."""
    pool: tuple[Path, ...] = ()
    """Ways that vehicles may take, without how many do."""
    counts: tuple[Path, ...] = ()
    """Tables of what its detectors counted before the twin was born (``demand.recorded``)."""
    begin_s: float = 0.0
    """SUMO's time when the district's routes begin."""
    end_s: float | None = None
    """When they end."""
    step_s: float = 1.0
    interval_s: float = 60.0
    """Over which detectors count."""
    channels: Mapping[str, ChannelForm] = field(default_factory=lambda: dict(USUAL_CHANNELS))
    """By quantity: see ``QUANTITIES``."""
    limits: Mapping[str, SignalLimits] = field(default_factory=dict)
    """By signal, one for each."""
    zone: str = "UTC"
    attribution: str = ""
    """Whose data it is; shown wherever they are."""
    sources: tuple[str, ...] = ()
    """Where the numbers come from, in words."""

    def __post_init__(self) -> None:
        for quantity in self.channels:
            if quantity not in QUANTITIES:
                raise UnknownNameError(
                    "quantity", quantity, QUANTITIES, where=f"{self.name} [channels]"
                )
        if self.network.detectors and "count" not in self.channels:
            raise SchemaError(f"{self.name} does not say which channels are 'count'.")
        if not (self.step_s > 0 and self.interval_s > 0):
            raise SchemaError(f"{self.name}: step_s and interval_s must be positive.")
        if not is_step(self.step_s):
            raise SchemaError(
                f"{self.name}: signals move each second, so a second must be one step or several "
                f"whole ones: step_s cannot be {self.step_s:g}."
            )
        if self.end_s is not None and not self.end_s > self.begin_s:
            raise SchemaError(f"{self.name} ends at {self.end_s:g} s, before it begins.")

    @property
    def detectors(self) -> Mapping[str, Detector]:
        """By name."""
        return self.network.detectors

    @property
    def signals(self) -> Mapping[str, Signal]:
        """By name."""
        return self.network.signals

    def sumo(
        self,
        *,
        routes: Sequence[Path] | None = None,
        detectors: Path | None = None,
        additional: Sequence[Path] = (),
        options: Sequence[str] = (),
    ) -> Sumo:
        """Settings of the engine that runs it.

        Args:
            routes: Instead of the district's own.
            detectors: A file that ``write_detectors`` has made; without it nothing is counted.
            additional: Files besides the district's own, read after them.
            options: Of SUMO's command line.
        """
        more = (*self.additional, *additional, *((detectors,) if detectors else ()))
        return Sumo(
            net=str(self.net),
            routes=tuple(map(str, self.routes if routes is None else routes)),
            additional=tuple(map(str, more)),
            begin_s=self.begin_s,
            step=round(self.step_s * SECOND),
            options=tuple(options),
        )

    def write_detectors(
        self, path: Path, *, only: Iterable[str] | None = None, period_s: float | None = None
    ) -> Path:
        """Write the detectors for SUMO, so that it counts and writes no files of its own.

        Args:
            path: The file.
            only: Names of those that are wanted; all where left out.
            period_s: Over which they count; the district's own where left out.
        """
        chosen = [self.named_detector(i) for i in (self.detectors if only is None else only)]
        path.write_text(detectors_xml(chosen, period_s or self.interval_s), encoding="utf-8")
        return path

    def named_detector(self, name: str) -> Detector:
        """The detector of that name.

        Raises:
            UnknownNameError: there is none.
        """
        if name not in self.detectors:
            raise UnknownNameError("detector", name, self.detectors, where=self.name)
        return self.detectors[name]


def is_step(step_s: float) -> bool:
    """Whether a second is a whole number of such steps."""
    in_second = 1.0 / step_s if step_s > 0 else 0.0
    return in_second >= 1.0 - SAME and abs(in_second - round(in_second)) < SAME


def detectors_xml(detectors: Iterable[Detector], period_s: float | None = None) -> str:
    """An additional file of SUMO with these loops, whose output goes nowhere."""
    lines = (
        f"  <inductionLoop id={quoteattr(d.id)} lane={quoteattr(d.lane)} "
        f'pos="{d.position_m:.17g}" period="{period_s or d.period_s:g}" file="{NULL}"/>'
        for d in detectors
    )
    return "\n".join(["<additional>", *lines, "</additional>\n"])


def read_district(path: Path) -> District:
    """The district of a folder, or of a ``district.toml``.

    Raises:
        SchemaError: it cannot be read, or does not fit together.
    """
    file = path / DESCRIPTION if path.is_dir() else path
    try:
        with file.open("rb") as source:
            told = tomllib.load(source)
        return _district(told, file)
    except FileNotFoundError as error:
        raise SchemaError(f"There is no district at {path}: no file {file}.") from error
    except (OSError, tomllib.TOMLDecodeError, TypeError, ValueError) as error:
        raise SchemaError(f"{file} does not describe a district: {error}.") from error
    except UnknownNameError:
        raise
    except KeyError as missing:
        raise SchemaError(f"{file} does not describe a district: {missing} is missing.") from None


def _district(told: Mapping[str, Any], file: Path) -> District:
    for key in told:
        if key not in KEYS:
            raise UnknownNameError("key", key, KEYS, where=str(file))
    folder = file.parent
    net = _file(folder, told["network"], "network")
    additional, loops, routes, pool, counts = (
        tuple(_file(folder, name, key) for name in _names(told, key))
        for key in ("additional", "detector_files", "routes", "pool", "counts")
    )
    for path in additional:
        if any(element.tag in LOOPS for element in elements(path)):
            raise SchemaError(
                f"{path} has induction loops, and SUMO would write files for them. Put them into a "
                "file of their own and name that under 'detector_files'."
            )
    interval = float(told.get("interval_s", 60.0))
    network = _with_detectors(read_network(net, (*additional, *loops)), told, interval)
    channels = told.get("channels")
    return District(
        name=str(told["name"]),
        folder=folder,
        net=net,
        network=network,
        additional=additional,
        routes=routes,
        pool=pool,
        counts=counts,
        begin_s=float(told.get("begin_s", 0.0)),
        end_s=float(told["end_s"]) if "end_s" in told else None,
        step_s=float(told.get("step_s", 1.0)),
        interval_s=interval,
        channels=USUAL_CHANNELS
        if channels is None
        else {name: ChannelForm(**form) for name, form in channels.items()},
        limits=_limits(told, network, str(file)),
        zone=str(told.get("zone", "UTC")),
        attribution=str(told.get("attribution", "")),
        sources=tuple(map(str, told.get("sources", ()))),
    )


def _names(told: Mapping[str, Any], key: str) -> list[str]:
    names = told.get(key, [])
    if not (isinstance(names, list) and all(isinstance(n, str) for n in names)):
        raise SchemaError(f"{key} is a list of files, not {names!r}.")
    return names


def _file(folder: Path, name: str, key: str) -> Path:
    """The file ``name`` in the folder of the description.

    Raises:
        UnknownNameError: it is not there.
    """
    path = folder / name
    if not path.is_file():
        there = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
        raise UnknownNameError(f"file for {key!r}", name, there, where=str(folder))
    return path.resolve()


def _with_detectors(network: Network, told: Mapping[str, Any], interval_s: float) -> Network:
    """The network with the detectors that the description lists itself."""
    detectors, lanes = dict(network.detectors), dict(network.lanes)
    for one in told.get("detectors", ()):
        detector = Detector(
            id=str(one["name"]),
            lane=str(one["lane"]),
            position_m=float(one["position_m"]),
            period_s=interval_s,
        )
        detectors[detector.id] = fitting(detector, lanes, detectors)
    if len(detectors) == len(network.detectors):
        return network
    values = {f.name: getattr(network, f.name) for f in fields(Network)}
    return Network(**{**values, "detectors": detectors})


def _limits(told: Mapping[str, Any], network: Network, where: str) -> dict[str, SignalLimits]:
    """Of each signal: what ``[limits]`` says of all, and ``[signals.ID]`` of this one."""
    common, own = dict(told.get("limits", {})), told.get("signals", {})
    known = [f.name for f in fields(SignalLimits)]
    for name, of in {"[limits]": common, **own}.items():
        for key in of:
            if key not in known:
                raise UnknownNameError("limit", key, known, where=f"{where} {name}")
    for signal in own:
        if signal not in network.signals:
            raise UnknownNameError("signal", signal, network.signals, where=where)
    return {i: SignalLimits(**{**common, **own.get(i, {})}) for i in network.signals}
