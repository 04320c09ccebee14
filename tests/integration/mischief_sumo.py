"""A SUMO that misbehaves when it is told to: what runs in the child, for tests.

All is SUMO but for what comes before a step. No way is known to have SUMO itself tell a number
that is not finite: it counts vehicles and averages over those that are there, and where there are
none it has numbers of its own, as -1 for no measurement. So one is put in place of what it told.
"""

from __future__ import annotations

import ctypes
import math
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import replace

from gemeos.engines.hosted import HostedEngine
from gemeos.engines.spec import Kind, Role, Spec, Value, Values, Variable
from gemeos.engines.sumo import Sumo
from gemeos.engines.sumo.inside import SumoInside
from gemeos.units.instant import Span

NAME = "mischief"
SPOILED = "vehicles.waiting"
CHATTER = 200_000
"""Characters: more than a pipe holds, so a reader who does not read would hang it."""


class MischiefInside:
    """Implements ``inside.Inside`` around the real one."""

    def __init__(self, settings: bytes) -> None:
        self._sumo = SumoInside(settings)
        self._how = ""

    def describe(self) -> Spec:
        spec = self._sumo.describe()
        more = Variable(NAME, Role.INPUT, kind=Kind.TEXT, start="")
        return replace(spec, variables=tuple(sorted((*spec.variables, more), key=lambda v: v.name)))

    def begin(self, params: Values, seed: int) -> None:
        self._how = ""
        self._sumo.begin(params, seed)

    def set(self, values: Values) -> None:
        self._how = str(values.get(NAME, self._how))
        self._sumo.set({name: value for name, value in values.items() if name != NAME})

    def advance(self, elapsed: Span) -> None:
        _misbehave(self._how)
        self._sumo.advance(elapsed)

    def get(self, names: Sequence[str]) -> list[Value]:
        asked = [name for name in names if name != NAME]
        told: Values = {NAME: self._how, **dict(zip(asked, self._sumo.get(asked), strict=True))}
        if self._how == "not_finite":
            told[SPOILED] = math.nan
        return [told[name] for name in names]

    def snapshot(self) -> bytes:
        return self._sumo.snapshot()

    def restore(self, kept: bytes, elapsed: Span) -> None:
        self._sumo.restore(kept, elapsed)

    def end(self) -> None:
        self._sumo.end()


def _misbehave(how: str) -> None:
    match how:
        case "crash":
            os.write(1, b"the last words\n")
            ctypes.string_at(0)  # a real segmentation fault
        case "hang":
            time.sleep(3600)
        case "chatter":
            ctypes.CDLL(None).puts(b"from C")
            sys.stdout.write("x" * CHATTER)
            os.write(2, b"the end of it\n")
        case _:
            return


def opened(sumo: Sumo, limit: Span) -> HostedEngine:
    """As ``gemeos.engines.sumo.opened``, with the one that misbehaves inside."""
    return HostedEngine.opened("SUMO", f"{__name__}:MischiefInside", sumo, limit, fork=True)
