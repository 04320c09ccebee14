"""The dossier of a plan: all that led to it and all that came of it, in one file.

A zip archive. ``dossier.json`` can be read by people; beside it lie, where they are known:

``optimisation.state``, ``scenario.state``
    the twin's states that the search and the plan's forecast began from, ``TwinState.to_bytes``
``before.state``, ``after.state``
    the twin before the plan and at the end of what it promised, as it was known when it was scored
``readings.msgpack``
    what was read between the two: names of series, then columns as little-endian arrays

``dossier.json`` has the SHA-256 of each. Equal dossiers are equal files. ``runtime.recheck`` works
out all that is in one anew, from it and the model alone.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Final

import msgspec
import numpy as np

from gemeos.act.undertaking import Undertaking
from gemeos.ensemble.state import TwinState
from gemeos.errors import InputError
from gemeos.runtime.ledger_row import AppliedPlan, Score
from gemeos.runtime.optimisation import OptimisationRecord
from gemeos.runtime.plan import PlanRecord
from gemeos.runtime.scenario import ScenarioRecord
from gemeos.runtime.school import Foresight
from gemeos.schema.binding import Binding
from gemeos.schema.reading import Readings, Series, SeriesBook
from gemeos.timeline.base import Event
from gemeos.units.instant import Instant

FORMAT: Final = "gemeos-dossier/1"
TOLD: Final = "dossier.json"
READINGS: Final = "readings.msgpack"
STATES: Final = ("optimisation", "scenario", "before", "after")
MOST_BYTES: Final = 1 << 30
"""Of all that is in one, unpacked."""
_FIRST_DAY: Final = (1980, 1, 1, 0, 0, 0)
"""Zip archives know no earlier one; with the true time equal dossiers would differ."""


@dataclass(frozen=True, slots=True)
class Declared:
    """The twin as it was declared: with the model it is built again."""

    name: str
    model: str
    """Where the model was declared, as in ``boiler:Boiler``, and which engine it is of; for
    people."""
    identity: str
    """Hash of model, filter, lessons and memories; what is built again has to have it."""
    members: int
    seed: int
    consts: dict[str, float]
    bindings: tuple[Binding, ...]
    foresight: Foresight


@dataclass(frozen=True, slots=True)
class Known:
    """What had been read when the plan was made, told by its hash: the states rest on it."""

    since: Instant
    until: Instant
    known_by: Instant
    readings: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Told:
    """``dossier.json``. Times are microseconds of UTC since 1970."""

    format: str
    gemeos: str
    """Version of the program that wrote it."""
    site: str
    source: str
    """What readings are: ``live``, or the label of what is replayed."""
    written_at: Instant
    """Site time of the newest thing in it."""
    twin: Declared
    plan: PlanRecord
    """With its approvals, forecast (``bands``), what was expected otherwise (``nothing``)."""
    plan_id: str
    known: Known
    optimisation: OptimisationRecord | None
    """The search that it came from: alternatives that were tried, and the verdict."""
    scenario: ScenarioRecord | None
    """Its forecast."""
    applied: AppliedPlan | None
    undertaking: Undertaking | None
    """Commands, acknowledgements, and what became of it."""
    others: tuple[Undertaking, ...]
    """Plans that were begun within its horizon."""
    score: Score | None
    """Its row in the ledger."""
    events: tuple[Event, ...]
    """The audit trail, the oldest first."""
    files: dict[str, str] = field(default_factory=dict)
    """SHA-256 of the files beside this one."""


@dataclass(frozen=True, slots=True, eq=False)
class Dossier:
    """A whole one."""

    told: Told
    states: Mapping[str, TwinState]
    """By ``STATES``; those that are known."""
    readings: Readings | None = None
    book: SeriesBook = field(default_factory=SeriesBook)

    def to_bytes(self) -> bytes:
        """The file."""
        parts = {f"{name}.state": state.to_bytes() for name, state in self.states.items()}
        if self.readings is not None:
            parts[READINGS] = packed_readings(self.readings, self.book)
        files = {name: hashlib.sha256(parts[name]).hexdigest() for name in sorted(parts)}
        whole = msgspec.to_builtins(self.told)
        whole["files"] = files
        text = msgspec.json.format(msgspec.json.encode(whole), indent=1)
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in ((TOLD, text), *sorted(parts.items())):
                entry = zipfile.ZipInfo(name, _FIRST_DAY)
                entry.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(entry, content)
        return buffer.getvalue()

    @staticmethod
    def from_bytes(stored: bytes) -> Dossier:
        """What ``to_bytes`` wrote.

        Raises:
            InputError: it is none, is of another format, or was changed.
            TimelineError: a state is another version's.
        """
        parts = _unpacked(stored)
        try:
            told = msgspec.json.decode(parts.pop(TOLD), type=Told)
        except (KeyError, msgspec.MsgspecError, InputError) as error:
            raise InputError(f"This is no dossier that can be read: {error}.") from error
        if told.format != FORMAT:
            raise InputError(f"This dossier has the format {told.format!r}; read is {FORMAT!r}.")
        changed = sorted(
            name
            for name in {*told.files, *parts}
            if name not in parts or told.files.get(name) != hashlib.sha256(parts[name]).hexdigest()
        )
        if changed:
            raise InputError(f"This dossier was changed: {', '.join(changed)} is not what it was.")
        states = {
            name: TwinState.from_bytes(parts[f"{name}.state"])
            for name in STATES
            if f"{name}.state" in parts
        }
        if READINGS not in parts:
            return Dossier(told, states)
        return Dossier(told, states, *unpacked_readings(parts[READINGS]))


def packed_readings(readings: Readings, book: SeriesBook) -> bytes:
    """Names of series and columns; the same whatever numbers the site gave the series."""
    numbers = sorted(set(readings.series.tolist()), key=lambda n: str(book.series(n)))
    place = {number: i for i, number in enumerate(numbers)}
    renumbered = np.array([place[n] for n in readings.series.tolist()], np.int32)
    columns = {f.name: getattr(readings, f.name) for f in fields(readings)}
    # When a reading arrived by the wall clock says nothing of what it is.
    columns |= {"series": renumbered, "received_at": np.zeros(len(renumbered), np.int64)}
    return msgspec.msgpack.encode(
        (
            [(book.series(n).link, book.series(n).channel) for n in numbers],
            {name: (c.dtype.str, c.tobytes()) for name, c in columns.items()},
        )
    )


def unpacked_readings(stored: bytes) -> tuple[Readings, SeriesBook]:
    """What ``packed_readings`` wrote.

    Raises:
        InputError: these are none.
    """
    try:
        names, columns = msgspec.msgpack.decode(
            stored, type=tuple[list[tuple[str, str]], dict[str, tuple[str, bytes]]]
        )
        arrays = {n: np.frombuffer(raw, np.dtype(kind)) for n, (kind, raw) in columns.items()}
        return Readings(**arrays), SeriesBook(Series(*name) for name in names)
    except (msgspec.MsgspecError, ValueError, TypeError) as error:
        raise InputError(f"These are no readings of a dossier: {error}.") from error


def _unpacked(stored: bytes) -> dict[str, bytes]:
    known = {TOLD, READINGS, *(f"{name}.state" for name in STATES)}
    try:
        with zipfile.ZipFile(io.BytesIO(stored)) as archive:
            entries = archive.infolist()
            if sum(each.file_size for each in entries) > MOST_BYTES:
                raise InputError("That is too large to be a dossier.")
            return {e.filename: archive.read(e) for e in entries if e.filename in known}
    except (zipfile.BadZipFile, ValueError, OSError) as error:
        raise InputError(f"This is no dossier: {error}.") from error
