"""SUMO in its own process. libsumo has one simulation a process, and so has every engine here.

A fork is exact. So is a snapshot that a fresh process loads as it starts; loading a state into a
running simulation is not (it does not rewind the route files: SUMO issues 6201, 7471, 17897), and
is never done.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, final

import msgspec

from gemeos.engines.spec import (
    Capabilities,
    Fork,
    Kind,
    Role,
    Snapshot,
    Spec,
    Value,
    Values,
    Variable,
)
from gemeos.engines.sumo.aside import in_a_copy
from gemeos.engines.sumo.controls import Controls, Held
from gemeos.engines.sumo.passages import Passages
from gemeos.engines.sumo.quantities import GROUPS, Lib, Quantity, ids_of, split
from gemeos.engines.sumo.settings import Sumo
from gemeos.engines.sumo.trips import NAMES, Sums, Trips
from gemeos.units.instant import SECOND, Span

SCALE: Final = "demand_scale"
BEGIN: Final = "begin_s"
HASH: Final = "state.hash"
STATIC: Final = 0
"""SUMO's number of the kind of program whose phases last as long as the file says."""
_ROUTE: Final = re.compile(rb'^\s*<route id="([^"]*)".*$', re.MULTILINE)
_FLAGS: Final = re.compile(rb'(<vehicle [^>]* state=")\d+ ')
_LASTED: Final = re.compile(rb'(?<= )(?:duration|cycleTime)="\d+"(?= .*active=)')
_ONLINE: Final = re.compile(rb'(<tlLogic [^>]*programID="online" [^>]*)until="\d+"')
_USED: Final = re.compile(rb' route="([^"]*)"')


class _Kept(msgspec.Struct):
    settings: str
    params: Values
    seed: int
    begin: float
    held: Held
    sums: Sums
    passed: dict[str, int]
    told: Values
    state: bytes


@final
class SumoInside:
    """Implements ``inside.Inside``."""

    def __init__(self, settings: bytes) -> None:
        self._settings = msgspec.json.decode(settings, type=Sumo)
        self._digest = hashlib.sha256(settings).hexdigest()
        self._lib: Any = _libsumo()
        self._controls = Controls(self._lib, self._settings)
        self._trips = Trips(self._lib)
        self._passages = Passages(self._lib)
        self._params: Values = {}
        self._seed = 0
        self._begin = 0.0
        self._elapsed: Span = 0
        self._began_in: int | None = None
        """The process that has started SUMO; a fork is another one."""
        self._told: Values = {}
        """Measurements of the last step that SUMO cannot be asked for: a restored simulation has
        made no step, and SUMO's file does not keep them."""

    @property
    def lib(self) -> Lib:
        """The module itself, for what works beside the adapter in this process."""
        return self._lib

    def describe(self) -> Spec:
        """Starts the simulation to see what is in it."""
        self.begin({}, 0)
        variables = [
            Variable(
                SCALE,
                Role.PARAM,
                bounds=(0.0, None),
                start=1.0,
                about="Vehicles for each one of the files.",
            ),
            Variable(
                BEGIN,
                Role.PARAM,
                "s",
                bounds=(0.0, None),
                start=self._begin,
                about="The model's own time when it begins.",
            ),
            *self._controls.variables(),
            *self._trips.variables(),
            *(self._passages.variables() if self._settings.passages else ()),
        ]
        variables += [
            Variable(f"{group}.{i}.{name}", q.role, q.unit, q.kind)
            for group, i, name, q in self._measured()
        ]
        variables.append(
            Variable(
                HASH,
                Role.OUTPUT,
                kind=Kind.TEXT,
                about="Of all that SUMO writes of its state: equal ones go on equally.",
            )
        )
        forks = hasattr(os, "fork")
        # SUMO's file does not keep all of a queue, nor for how long a signal's phase has lasted,
        # by which a program that adapts itself decides: there what is restored differs a little.
        adapts = any(
            program.type != STATIC
            for i in self._lib.trafficlight.getIDList()
            for program in self._lib.trafficlight.getAllProgramLogics(i)
        )
        worth = Snapshot.APPROX if self._settings.mesoscopic or adapts else Snapshot.EXACT
        return Spec(
            "SUMO",
            self._lib.getVersion()[1],
            self._settings.step,
            tuple(sorted(variables, key=lambda v: v.name)),
            Capabilities(worth, Fork.PROCESS if forks else Fork.RESTORE),
        )

    def begin(self, params: Values, seed: int) -> None:
        """A start from the files."""
        self._start(params, seed, ())
        self._begin = self._lib.simulation.getTime()
        self._controls.begin(seed)

    def set(self, values: Values) -> None:
        """Held by SUMO itself, but for flows."""
        self._controls.hold(values)
        self._told = {name: v for name, v in self._told.items() if name not in values}

    def advance(self, elapsed: Span) -> None:
        """All steps in one call of SUMO, unless something is to be done between them."""
        simulation = self._lib.simulation
        if elapsed > self._elapsed:
            self._told = {}
        if self._controls.flowing or self._settings.passages:
            for at in range(self._elapsed + self._settings.step, elapsed + 1, self._settings.step):
                self._controls.send()
                simulation.step(self._begin + at / SECOND)
                if self._settings.passages:
                    self._passages.look()
        elif elapsed > self._elapsed:
            simulation.step(self._begin + elapsed / SECOND)
        self._elapsed = elapsed
        there = simulation.getTime() - self._begin
        if abs(there - elapsed / SECOND) > 1e-4:
            raise RuntimeError(f"SUMO stands at {there:g} s, not at {elapsed / SECOND:g} s")

    def get(self, names: Sequence[str]) -> list[Value]:
        """Each by a call of libsumo.

        Asking queues for their speed changes the averages that SUMO routes by, so a copy of this
        process is asked instead.
        """
        measured = [n for n in names if n.startswith(("edge.", "lane.")) and n not in self._told]
        if self._settings.mesoscopic and measured:
            self._told |= in_a_copy(lambda: {name: self._read(name) for name in measured})
        return [self._read(name) for name in names]

    def snapshot(self) -> bytes:
        """SUMO's own file, and what the adapter holds."""
        kept = _Kept(
            self._digest,
            self._params,
            self._seed,
            self._begin,
            self._controls.written(),
            self._trips.sums(),
            self._passages.so_far,
            self._last_step(),
            self._saved("state.xml.gz"),
        )
        return msgspec.msgpack.encode(kept)

    def restore(self, kept: bytes, elapsed: Span) -> None:
        """A start with the state; what was held is set again."""
        read = msgspec.msgpack.decode(kept, type=_Kept)
        if read.settings != self._digest:
            raise ValueError("the snapshot is of SUMO with other settings")
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "state.xml.gz")
            file.write_bytes(read.state)
            self._start(read.params, read.seed, ("--load-state", str(file)))
        self._begin, self._elapsed = read.begin, elapsed
        self._trips.before = read.sums
        self._passages.so_far = dict(read.passed)
        self._told = read.told
        self._controls.begin(read.seed)
        self._controls.hold_again(read.held)

    def end(self) -> None:
        """SUMO writes what output files it was told to; those are the origin's, not its forks'."""
        if self._began_in == os.getpid():
            self._lib.close()

    def _start(self, params: Values, seed: int, more: tuple[str, ...]) -> None:
        s = self._settings
        arguments = ["sumo", *(("-c", s.config) if s.config else ("-n", s.net))]
        for option, files in (("-r", s.routes), ("-a", s.additional)):
            if files:
                arguments += [option, ",".join(files)]
        begin = params.get(BEGIN, s.begin_s)
        if begin is not None:
            arguments += ["--begin", repr(float(begin))]
        if s.mesoscopic:
            arguments += ["--mesosim", "true"]
        arguments += [
            *("--step-length", repr(s.step / SECOND), "--seed", str(seed % 2**31)),
            *("--scale", repr(float(params.get(SCALE, 1.0)))),
            *("--save-state.rng", "true", "--save-state.precision", "17", "--precision", "9"),
            *("--device.tripinfo.probability", "1", "--no-step-log", "true"),
            *s.options,
            *more,
        ]
        self._params, self._seed = params, seed
        self._lib.start(arguments)
        self._began_in = os.getpid()

    def _read(self, name: str) -> Value:
        if name in self._told:
            return self._told[name]
        if name in NAMES:
            return self._trips.read(name)
        if name in {SCALE, BEGIN}:
            return float(self._params.get(SCALE, 1.0)) if name == SCALE else self._begin
        if name == HASH:
            return self._hash()
        ours = self._controls.read(name)
        if ours is None:
            ours = self._passages.read(name)
        if ours is not None:
            return ours
        group, i, quantity = split(name)
        return GROUPS[group][quantity].read(self._lib, i)

    def _measured(self) -> Iterator[tuple[str, str, str, Quantity]]:
        """Group, id, name and how to read it, of all that SUMO measures in a step."""
        for group, quantities in GROUPS.items():
            if group != "lane" or self._settings.lanes:
                for i in ids_of(self._lib, group):
                    for name, quantity in quantities.items():
                        yield group, i, name, quantity

    def _last_step(self) -> Values:
        names = [f"{group}.{i}.{name}" for group, i, name, _ in self._measured()] + sorted(NAMES)
        return dict(zip(names, self.get(names), strict=True))

    def _hash(self) -> str:
        """Of the state file without what another history can leave in it and nothing goes on from.

        That is the header, which tells the hour; routes of vehicles that have arrived; of a
        vehicle the flags that say which of its attributes the file gave; of a signal for how
        long its phase has lasted, and when held lights would end, which they do not.
        """
        text = self._saved("state.xml")
        text = text[text.index(b"<snapshot") :]
        used = set(_USED.findall(text))
        text = _ROUTE.sub(lambda m: m.group() if m.group(1) in used else b"", text)
        text = _FLAGS.sub(rb"\1", text)
        text = _LASTED.sub(b"", _ONLINE.sub(rb"\1", text))
        return hashlib.sha256(b"\n".join(line for line in text.split(b"\n") if line)).hexdigest()

    def _saved(self, name: str) -> bytes:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, name)
            self._lib.simulation.saveState(str(file))
            return file.read_bytes()


def _libsumo() -> Any:  # noqa: ANN401 - a module without types
    """libsumo, with the files of the very SUMO that it came with: another's do not fit."""
    import sumo  # noqa: PLC0415 - an extra

    os.environ["SUMO_HOME"] = sumo.SUMO_HOME  # noqa: TID251 - of this process alone; SUMO reads it
    import libsumo  # noqa: PLC0415 - an extra, and reads SUMO_HOME when it is imported

    return libsumo
