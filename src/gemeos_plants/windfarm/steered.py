"""The farm as somebody sets it: its device behind the broker, and what it then measures."""

from __future__ import annotations

import datetime as dt
import math
from pathlib import Path
from typing import Final, final

import numpy as np

from gemeos_plants import device
from gemeos_plants.line import Address
from gemeos_plants.windfarm.obey import AS_EVER, FIXED, UNITS, History, Measured, Rules, obeyed
from gemeos_plants.windfarm.record import INTERVAL, TAGS, Record

_TAG_OF: Final = {
    "P_avg": "power",
    "Ws_avg": "wind",
    "Va_avg": "vane",
    "Ba_avg": "pitch",
    "Ya_avg": "heading",
    "Wa_avg": "direction",
}


@final
class Steered:
    """Commands in, changed readings out: those come by one thread, these are asked for by another.

    Places are ``<turbine>/yaw_offset`` (deg), ``power_limit`` (kW) and ``running`` (0 or 1); topics
    are those of ``gemeos_plants.device`` under the farm's.
    """

    def __init__(self, record: Record, told: Path | None, patience_s: float | None) -> None:
        """It stands at its fixed programme.

        Args:
            record: What is measured where nothing is set.
            told: A file that gets a line of all that is done.
            patience_s: Without a heartbeat; None for as long as heartbeats say.
        """
        self._record = record
        self._rules, self._history = Rules(), History()
        turbines = sorted(set(record.turbine))
        fixed = {
            f"{name}/{control}": value for name in turbines for control, value in FIXED.items()
        }
        self.device = device.Device(
            fixed,
            told,
            patience_s,
            refuses=self._rules.refusal,
            now=self._time,
            moved=self._moved,
        )

        self._line: device.Line | None = None

    @property
    def is_cut(self) -> bool:
        """Whether its sensors cannot be heard."""
        return self._line is not None and self._line.fault == "cut"

    def line(self, address: Address, root: str) -> device.Line:
        """Its end of the broker, not yet connected."""
        line = device.Line(self.device, root, "none", 0.0, v5=False)
        if address.user is not None:
            line.client.username_pw_set(address.user, address.password)
        if address.encrypted:
            line.client.tls_set()
        line.client.reconnect_delay_set(1, 5)
        line.client.connect_async(address.host, address.port, keepalive=30)
        self._line = line
        return line

    def at(self, now: int) -> None:
        """It is that late at the plant, in microseconds."""
        self._rules.now = max(self._rules.now, now)

    def _time(self) -> dt.datetime:
        return dt.datetime.fromtimestamp(self._rules.now / 1_000_000, dt.UTC)

    def _moved(self, place: str, value: float) -> None:
        self._rules.moved(place, value)
        self._history.move(place, self._rules.now, value)

    def setpoints(self, at: int) -> list[tuple[str, float, str]]:
        """Where each place stood at that plant time, with its unit."""
        stood = self._history.at(at)
        return [
            (place, getattr(stood.get(turbine, AS_EVER), control), UNITS[control])
            for place in sorted(self.device.values)
            for turbine, _, control in [place.partition("/")]
        ]

    def value(self, seq: int) -> float | None:
        """What the reading of that number is, the farm set as it was then."""
        reading = self._record.reading(seq)
        name = _TAG_OF.get(reading.tag)
        if name is None:
            return reading.value
        if name == "wind" and reading.value is not None:
            self._rules.winds[reading.turbine] = reading.value
        pieces = self._history.pieces(reading.valid_at - INTERVAL, reading.valid_at)
        if not any(settings for _, settings in pieces):
            return reading.value
        as_run = self._as_run(seq // len(TAGS))
        base = float(getattr(as_run[reading.turbine], name))
        told = base
        for share, settings in pieces:
            apart = float(getattr(obeyed(as_run, settings)[reading.turbine], name)) - base
            if name == "heading":
                apart = (apart + 180.0) % 360.0 - 180.0
            told += share * apart
        if told == base or not math.isfinite(told):
            return reading.value
        return round(told % 360.0 if name == "heading" else told, 2)

    def _as_run(self, row: int) -> dict[str, Measured]:
        """What all turbines measured in the same ten minutes, by the record."""
        record = self._record
        first, beyond = (
            int(np.searchsorted(record.stamp, record.stamp[row], side=side))
            for side in ("left", "right")
        )
        told = {}
        for each in range(first, beyond):
            values = dict(zip(TAGS, record.values[each].tolist(), strict=True))
            told[record.turbine[each]] = Measured(**{n: values[t] for t, n in _TAG_OF.items()})
        return told
