"""The port of the memory: what was so, when it was so, and when we knew.

Life of a timeline: it is opened; any thread may ask, one thread at a time appends; it is closed.
Every write is durable when the call returns, and a call is one transaction: after a crash at any
moment a commit is there whole or not at all. Nothing that was written is ever changed: a
correction is a new row with a later ``known_at``.

``known_by`` in a question means: answer as somebody would have who knew only what was committed
with ``known_at <= known_by``. None means everything known today. What people gave names to
(`Record`) is outside of this: it is theirs to replace and to delete.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from jaxtyping import Float64, Int32, Int64

from gemeos.schema.reading import Readings, Refused, SeriesBook
from gemeos.units.instant import Instant, Span


@dataclass(frozen=True, slots=True)
class Commit:
    """What one durable commit was given."""

    number: int
    """Counts up by one; the order in which things became known."""
    known_at: Instant
    """Site time of the commit; never less than an earlier commit's."""


@dataclass(frozen=True, slots=True, eq=False)
class Buckets:
    """Down-sampled readings: one row a series and bucket that has any."""

    series: Int32[np.ndarray, " bucket"]
    since: Int64[np.ndarray, " bucket"]
    """Start of the bucket; it holds ``since < valid_at <= since + every``."""
    count: Int64[np.ndarray, " bucket"]
    mean: Float64[np.ndarray, " bucket"]
    least: Float64[np.ndarray, " bucket"]
    most: Float64[np.ndarray, " bucket"]
    last: Float64[np.ndarray, " bucket"]
    """Value of the newest reading in the bucket."""


@dataclass(frozen=True, slots=True)
class Keyframe:
    """A twin's whole state at one instant, from which a later one can be computed again."""

    twin: str
    valid_at: Instant
    """The grid instant of the state."""
    known_at: Instant
    """Every reading known by then, and valid by ``valid_at``, is in it; no later one is."""
    model: str
    """Identity of the model that made it."""
    state: bytes
    """``TwinState.to_bytes`` of a batch of one."""


@dataclass(frozen=True, slots=True)
class Event:
    """A change or a decision: who, what, and which event or commit caused it."""

    kind: str
    """``phase``, ``alarm``, ``model_changed``, ``late_reading``, ``healed``, ``token`` ..."""
    twin: str
    """Empty where it concerns the site."""
    valid_at: Instant
    actor: str
    """A person's or token's name, or the part of Gemeos that did it."""
    cause: str
    """What led to it: an event's or commit's number, or a sentence."""
    body: Mapping[str, str | float | int | bool | None] = field(default_factory=dict)
    known_at: Instant = 0
    """Set by the timeline."""
    number: int = 0
    """Set by the timeline; counts up by one."""


@dataclass(frozen=True, slots=True, eq=False)
class SummaryRows:
    """What a twin held to be so, a row an instant. Of two at one instant the later counts."""

    variable: tuple[str, ...]
    """Names, the axis of the columns below."""
    valid_at: Int64[np.ndarray, " time"]
    mean: Float64[np.ndarray, "time variable"]
    sd: Float64[np.ndarray, "time variable"]
    quantiles: Float64[np.ndarray, "time variable quantile"]
    """At 5, 25, 50, 75 and 95 %."""


@dataclass(frozen=True, slots=True, eq=False)
class ForecastRows:
    """Forecasts of one variable as they were issued, for scoring when the truth arrives."""

    twin: str
    variable: str
    issued_at: Int64[np.ndarray, " forecast"]
    valid_at: Int64[np.ndarray, " forecast"]
    members: Float64[np.ndarray, "forecast member"]
    """What a sensor would read, with its noise, in the declared unit; at most 64 members, or
    evenly spaced quantiles where there were more. Kept to float32 precision; rows of fewer
    members than the longest come back ended by NaN."""
    corrected: Float64[np.ndarray, "forecast level"]
    """Evenly spaced quantiles after correction by what was learned of earlier forecasts, the k-th
    of n at (k - 1/2)/n; NaN throughout a row that had none. Kept as ``members`` are."""


class ReadingStore(Protocol):
    """Readings in, readings out."""

    @property
    def book(self) -> SeriesBook:
        """The numbering of series. Numbers given out are durable with the next commit."""
        ...

    def append(
        self,
        readings: Readings,
        *,
        known_at: Instant,
        refused: Sequence[Refused] = (),
        receipts: Sequence[bytes] = (),
    ) -> Commit:
        """Make all of it durable in one transaction.

        ``receipts`` are fingerprints of messages that a broker may send again although they are
        stored (contract 2); the newest 100,000 are kept. A ``known_at`` before an earlier
        commit's is raised to that.
        """
        ...

    def range(
        self,
        series: Sequence[int] | None,
        since: Instant,
        until: Instant,
        *,
        known_by: Instant | None = None,
    ) -> Readings:
        """Readings with ``since < valid_at <= until``, sorted by (valid_at, series, sample).

        One row a place: the highest revision, of equal ones the one committed last. Places whose
        highest revision is a retraction are left out. ``series`` None means all.
        """
        ...

    def buckets(
        self, series: Sequence[int], since: Instant, until: Instant, every: Span
    ) -> Buckets:
        """The same readings in buckets of ``every``, counted from ``since``, by (series, since)."""
        ...

    def latest(
        self, series: Sequence[int] | None, at: Instant, *, known_by: Instant | None = None
    ) -> Readings:
        """The newest reading by ``valid_at <= at`` of each series that has one, by series.

        "Newest" is latest measured, never last arrived: the last row that ``range`` would give
        of the series, so that after a retraction the reading before it counts again.
        """
        ...

    def changed_since(
        self, series: Sequence[int], commit: Instant, until: Instant, *, known_by: Instant | None
    ) -> Instant | None:
        """The earliest ``valid_at <= until`` of rows with ``commit < known_at <= known_by``.

        None where there are none. Tells whether a keyframe known at ``commit`` still stands.
        """
        ...


class Quarantine(Protocol):
    """What was refused; the newest 10,000 rows, and a count of all there ever were."""

    def refused(self, *, limit: int = 100, link: str | None = None) -> Sequence[Refused]:
        """The newest rows first."""
        ...

    def refused_count(self) -> int:
        """How many rows were ever refused."""
        ...

    def receipts(self) -> Sequence[bytes]:
        """The fingerprints kept, oldest first."""
        ...


class KeyframeStore(Protocol):
    """Whole states, to start again from."""

    def put_keyframe(self, keyframe: Keyframe) -> None:
        """Keep it, beside any of the same twin and ``valid_at`` that was known earlier."""
        ...

    def put_keyframes(self, keyframes: Sequence[Keyframe]) -> None:
        """The same for several, in one transaction."""
        ...

    def keyframe_before(
        self, twin: str, at: Instant, *, known_by: Instant | None = None
    ) -> Keyframe | None:
        """The newest by ``valid_at <= at`` with ``known_at <= known_by``.

        Of equal ``valid_at`` the one known last; None where there is none.
        """
        ...

    def keyframes_newest(self, twins: Sequence[str]) -> Mapping[str, Keyframe]:
        """The newest of each of these twins that has any, by name, in one question."""
        ...


class EventLog(Protocol):
    """Changes and decisions with who and why."""

    def put_event(self, event: Event, *, known_at: Instant) -> Event:
        """Keep it; comes back with its number and ``known_at``.

        As everywhere here, a ``known_at`` before an earlier commit's is raised to that. A number
        in the body that is not finite becomes None.
        """
        ...

    def put_events(self, events: Sequence[Event], *, known_at: Instant) -> Sequence[Event]:
        """The same for several, in one transaction; numbered in their order."""
        ...

    def events(
        self,
        *,
        twin: str | None = None,
        kind: str | None = None,
        since: Instant | None = None,
        until: Instant | None = None,
        limit: int = 100,
    ) -> Sequence[Event]:
        """Newest first, by (valid_at, number); only those with ``since < valid_at <= until``."""
        ...

    def event(self, number: int) -> Event | None:
        """The one of that number; None where there is none."""
        ...


class EstimateStore(Protocol):
    """What twins held to be so, and what they expected."""

    def put_summary(self, twin: str, rows: SummaryRows, *, known_at: Instant) -> None:
        """Keep rows of mean, spread and quantiles."""
        ...

    def put_summaries(
        self, summaries: Sequence[tuple[str, SummaryRows]], *, known_at: Instant
    ) -> None:
        """The same for several twins, told by their names, in one transaction.

        They are seen at once, and durable with the next append or when the store is closed: a
        site that was killed works them out anew from its readings.
        """
        ...

    def summary(
        self,
        twin: str,
        variables: Sequence[str],
        since: Instant,
        until: Instant,
        *,
        known_by: Instant | None = None,
    ) -> SummaryRows:
        """Rows with ``since < valid_at <= until``, one an instant: the one known last.

        In the order of ``variables``; NaN where that row has none of the name.
        """
        ...

    def put_forecasts(self, rows: ForecastRows, *, known_at: Instant) -> None:
        """Keep forecasts as issued. They are never replaced."""
        ...

    def put_all_forecasts(self, several: Sequence[ForecastRows], *, known_at: Instant) -> None:
        """The same for several twins and variables, in one transaction."""
        ...

    def all_forecasts(
        self, asked: Sequence[tuple[str, str, Instant, Instant]]
    ) -> Sequence[ForecastRows]:
        """What ``forecasts`` says of each of these, in their order, in one question."""
        ...

    def forecasts(self, twin: str, variable: str, since: Instant, until: Instant) -> ForecastRows:
        """Forecasts with ``since < valid_at <= until``, by (valid_at, issued_at)."""
        ...


@dataclass(frozen=True, slots=True)
class Record:
    """Something that people gave a name: a scenario, a plan."""

    kind: str
    """``scenario``, ``plan``."""
    twin: str
    name: str
    """One of each kind and twin has it."""
    body: bytes
    """What it is, small."""
    known_at: Instant
    attachment: bytes = b""
    """What it began from; large, and told only where one record is asked for."""


class RecordStore(Protocol):
    """What people gave names to. The event log tells who did what to it."""

    def put_record(self, record: Record) -> None:
        """Keep it, instead of the one of its kind, twin and name."""
        ...

    def records(
        self, kind: str, *, twin: str | None = None, newest: int | None = None
    ) -> Sequence[Record]:
        """Those of the kind, without attachments, as they became known, then by twin and name.

        ``newest`` bounds how many: the last ones of that order.
        """
        ...

    def record_counts(self, kind: str) -> Mapping[str, int]:
        """How many of the kind each twin has; twins without one are not told."""
        ...

    def record(self, kind: str, twin: str, name: str) -> Record | None:
        """The whole record; None where there is none."""
        ...

    def drop_record(self, kind: str, twin: str, name: str) -> bool:
        """Delete it; False where there was none."""
        ...


class Timeline(
    ReadingStore, Quarantine, KeyframeStore, EventLog, EstimateStore, RecordStore, Protocol
):
    """The whole memory of a site."""

    def close(self) -> None:
        """Let go of it. Everything acknowledged is already durable."""
        ...
