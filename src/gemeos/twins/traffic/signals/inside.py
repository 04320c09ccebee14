"""SUMO whose signals follow rules: all of SUMO's own controls, and a rule for each signal."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final, final

import msgspec

from gemeos.engines.hosted import USUAL_LIMIT, HostedEngine
from gemeos.engines.spec import Kind, Role, Spec, Value, Values, Variable
from gemeos.engines.sumo import Sumo, needs_sumo
from gemeos.engines.sumo.inside import HASH, SumoInside
from gemeos.twins.traffic.signals.companion import Companion, Kept
from gemeos.twins.traffic.signals.junction import Controlled
from gemeos.twins.traffic.signals.rules import Fixed, rule_of, written
from gemeos.units.instant import SECOND, Span

INSIDE: Final = "gemeos.twins.traffic.signals.inside:SignalledInside"
LONGEST: Final = "signals.longest_wait"
LOST: Final = "signals.time_lost"
OF_ALL: Final = (LONGEST, LOST)
LOST_OF: Final = ("trips.delay", "vehicles.departed", "vehicles.waiting")
RESOLUTION_S: Final = 3.0
"""Of the time that all lose together: that of ``trips.delay`` times a thousand vehicles."""
POLICY: Final = "policy"
SHOWN: Final = "shown"
MEMORY: Final = ("--waiting-time-memory", "100000")
"""Seconds over which SUMO adds up how long a vehicle has stood: all of its trip."""


class Signalled(msgspec.Struct, frozen=True):
    """Which traffic, and the signals that may follow rules. Plain data."""

    sumo: Sumo
    junctions: dict[str, Controlled]


class _Snapshot(msgspec.Struct):
    sumo: bytes
    signals: dict[str, Kept]
    longest_wait: float


@final
class SignalledInside:
    """Implements ``inside.Inside``: SUMO's, and between its steps the rules of the signals."""

    def __init__(self, settings: bytes) -> None:
        self._settings = msgspec.json.decode(settings, type=Signalled)
        self._sumo = SumoInside(msgspec.json.encode(self._settings.sumo))
        self._step: Span = self._settings.sumo.step
        self._elapsed: Span = 0
        self._companion = Companion(self._sumo.lib, self._settings.junctions)

    def describe(self) -> Spec:
        """SUMO's, and three names more for each signal."""
        spec = self._sumo.describe()
        mine = [
            Variable(
                LONGEST,
                Role.OUTPUT,
                "s",
                about="That any vehicle has stood in all so far, or waited to depart.",
            ),
            Variable(
                LOST,
                Role.OUTPUT,
                "s",
                resolution=RESOLUTION_S,
                about="Of all vehicles together so far, those included that wait to depart. After "
                "a restore off by at most 3 ms a vehicle: SUMO's own means are cut.",
            ),
        ]
        for name in self._settings.junctions:
            mine += [
                Variable(
                    f"signal.{name}.{POLICY}",
                    Role.CONTROL,
                    kind=Kind.TEXT,
                    start=written(Fixed()),
                    about="A rule as JSON, from gemeos.twins.traffic.signals.rules.",
                ),
                Variable(
                    f"signal.{name}.{SHOWN}",
                    Role.OUTPUT,
                    kind=Kind.TEXT,
                    about="Which lights came up when, in SUMO's seconds, as JSON.",
                ),
            ]
        variables = tuple(sorted((*spec.variables, *mine), key=lambda v: v.name))
        return Spec(spec.name, spec.version, spec.step, variables, spec.capabilities)

    def begin(self, params: Values, seed: int) -> None:
        """As SUMO's."""
        self._sumo.begin(params, seed)
        self._companion.begin()

    def set(self, values: Values) -> None:
        """Rules are kept here; whoever sets lights or a programme takes the rule away."""
        others: Values = {}
        for name, value in values.items():
            signal, way = self._signal(name)
            if way == POLICY:
                self._companion.give(signal, rule_of(str(value)))
                continue
            if signal:
                self._companion.let_go(signal)
            others[name] = value
        if others:
            self._sumo.set(others)

    def advance(self, elapsed: Span) -> None:
        """Step by step. Rules move once a second, however short the steps are."""
        for at in range(self._elapsed + self._step, elapsed + 1, self._step):
            if (at - self._step) % SECOND == 0:
                self._companion.step()
            self._sumo.advance(at)
            self._companion.watch()
        self._elapsed = elapsed

    def get(self, names: Sequence[str]) -> list[Value]:
        """In the order of ``names``."""
        mine = {name: value for name in names if (value := self._own(name)) is not None}
        rest = [name for name in names if name not in mine]
        found: Values = dict(zip(rest, self._sumo.get(rest), strict=True)) | mine
        return [found[name] for name in names]

    def snapshot(self) -> bytes:
        """SUMO's, and where each signal stands."""
        kept = _Snapshot(self._sumo.snapshot(), self._companion.kept, self._companion.longest_wait)
        return msgspec.msgpack.encode(kept)

    def restore(self, kept: bytes, elapsed: Span) -> None:
        """Lights that a rule holds are set again: SUMO's own file drops them."""
        read = msgspec.msgpack.decode(kept, type=_Snapshot)
        self._sumo.restore(read.sumo, elapsed)
        self._elapsed = elapsed
        self._companion.longest_wait = read.longest_wait
        self._companion.begin(read.signals)

    def end(self) -> None:
        """As SUMO's."""
        self._sumo.end()

    def _signal(self, name: str) -> tuple[str, str]:
        """The signal with rules that a control belongs to, and what it sets."""
        group, _, rest = name.partition(".")
        signal, _, way = rest.rpartition(".")
        if group == "signal" and signal in self._settings.junctions:
            return signal, way
        return "", ""

    def _of_all(self, name: str) -> float:
        """What is told of all signals together."""
        if name == LONGEST:
            return self._companion.longest_wait
        delay, departed, waiting = (float(v) for v in self._sumo.get(LOST_OF))
        return delay * (departed + waiting)

    def _own(self, name: str) -> Value | None:
        if name in OF_ALL:
            return self._of_all(name)
        if name == HASH:
            going_on = {
                i: msgspec.structs.replace(k, shown=[]) for i, k in self._companion.kept.items()
            }
            told = str(self._sumo.get([HASH])[0]).encode() + msgspec.msgpack.encode(going_on)
            return hashlib.sha256(told).hexdigest()
        signal, way = self._signal(name)
        if way == POLICY:
            return written(self._companion.kept[signal].rule)
        if way == "phase" and self._companion.kept[signal].holds:
            # SUMO has a programme of one phase for lights that are held; ours are the programme's.
            state = self._companion.kept[signal].shown[-1][1]
            states = [p.state for p in self._settings.junctions[signal].program.phases]
            return states.index(state) if state in states else -1
        if way == SHOWN:
            return msgspec.json.encode(self._companion.kept[signal].shown).decode()
        return None


def opened(
    sumo: Sumo, junctions: dict[str, Controlled], *, limit: Span = USUAL_LIMIT, fork: bool = True
) -> HostedEngine:
    """SUMO on a network whose signals may follow rules.

    Args:
        sumo: What is simulated.
        junctions: As ``junction.controlled`` gives them.
        limit: The longest that one call may take.
        fork: As in ``gemeos.engines.sumo.opened``.

    Raises:
        EngineError: libsumo is not installed, or SUMO cannot read the files; with its words.
    """
    with_memory = msgspec.structs.replace(sumo, options=(*sumo.options, *MEMORY))
    needs_sumo()
    return HostedEngine.opened("SUMO", INSIDE, Signalled(with_memory, junctions), limit, fork=fork)
