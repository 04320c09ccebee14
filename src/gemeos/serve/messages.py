"""What goes over the wire: one structure in JSON and in MessagePack.

The OpenAPI document is made from these types.

Times are ISO 8601 in the site's zone, lengths of time are seconds and say so (``_s``). Doubt stands
beside a value, never inside it. A number that is not there is null, never NaN.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta

Time: TypeAlias = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]
"""ISO 8601 with an offset."""
Series: TypeAlias = list[float | None]
"""One number a time."""
Plain: TypeAlias = str | float | int | bool | None


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """Anything that is sent."""


class Problem(Message, frozen=True, kw_only=True):
    """Why something was not done; the fields of the error that was raised."""

    error: str
    """Name of the class in ``gemeos.errors``."""
    message: str
    """For the person: what was asked, what there was, what to try."""
    asked: str | None = None
    """The name that is not there, where a name was asked for."""
    known: list[str] | None = None
    """The names that are."""
    details: dict[str, Plain] = {}
    """Other fields of the error."""


class Staleness(Message, frozen=True, kw_only=True):
    """How old what the answer rests on is."""

    now: Time
    """Site time of the answer."""
    data_until: Time | None
    """When the newest reading was measured; null before the first."""
    age_s: float | None
    """The one less the other."""


class FilteredKind(Message, frozen=True, kw_only=True, tag_field="type", tag="filtered"):
    """From readings up to each time itself."""


class SmoothedKind(Message, frozen=True, kw_only=True, tag_field="type", tag="smoothed"):
    """From readings up to some time after each time."""

    lag_s: float


class ForecastKind(Message, frozen=True, kw_only=True, tag_field="type", tag="forecast"):
    """From readings up to ``issued_at``, which is before the times."""

    issued_at: Time
    corrected: list[str] = []
    """Sensors told as they will be read, corrected by how earlier forecasts turned out."""


class ScenarioKind(Message, frozen=True, kw_only=True, tag_field="type", tag="scenario"):
    """What would be, under the interventions of that name; empty where nothing is changed."""

    name: str


KindMessage: TypeAlias = FilteredKind | SmoothedKind | ForecastKind | ScenarioKind


class PackedMembers(Message, frozen=True, kw_only=True):
    """Members in MessagePack: little-endian numbers, times outermost."""

    dtype: str
    """As numpy writes it: ``<f4`` or ``<f8``."""
    shape: list[int]
    """(time, member)."""
    data: bytes


class Numbers(Message, frozen=True, kw_only=True):
    """One variable over time."""

    unit: str
    mean: Series
    sd: Series
    """Standard deviation of the members."""
    q05: Series
    q25: Series
    q50: Series
    q75: Series
    q95: Series
    members: list[list[float]] | PackedMembers | None = None
    """Only where they were asked for; lists (time, member) in JSON, packed in MessagePack."""


class ProvenanceMessage(Message, frozen=True, kw_only=True):
    """Where an estimate comes from."""

    model: str
    members: int
    data_until: Time | None
    known_at: Time
    source: str
    origin: str = ""
    """Hash of the state that a forecast or scenario was forked from; those of one origin are
    paired, member by member."""
    left_out: tuple[int, ...] = ()
    """Numbers of the members of a scenario that failed or were too slow: the others are told."""


class EstimateMessage(Message, frozen=True, kw_only=True):
    """What a twin holds to be so, with its doubt."""

    twin: str
    kind: KindMessage
    zone: str
    times: list[Time]
    variables: dict[str, Numbers]
    provenance: ProvenanceMessage
    staleness: Staleness


class RangeMessage(Message, frozen=True, kw_only=True):
    """What is remembered of a twin's estimates."""

    twin: str
    zone: str
    times: list[Time]
    variables: dict[str, Numbers]
    source: str
    staleness: Staleness


VerdictWord: TypeAlias = Literal["sound", "stuck", "dead", "biased", "spiking"]


class ChannelTrustMessage(Message, frozen=True, kw_only=True):
    """One bound channel."""

    channel: str
    """``link/channel``."""
    variable: str
    unit: str | None
    """Of ``last_value``."""
    readings: int
    last_at: Time | None
    last_value: float | None
    usual_interval_s: float | None
    equal_run: int
    """How many readings in a row had one value."""
    innovation: float | None
    """Running mean of (read - expected) / expected spread."""
    surprise: float | None
    """Running mean of its square; 1 where spread and error agree."""
    verdict: VerdictWord
    """What is held of it. Stuck, dead and biased channels correct nothing until they have behaved
    again; a spiking one counts less."""


class AgainstMessage(Message, frozen=True, kw_only=True):
    """A forecaster without a model, beside the twin's own forecasts."""

    count: int
    """Forecasts that both made."""
    crps: float
    """Mean of the other one's."""
    skill: float | None
    """Share of it that the twin does without; below 0 the twin is worse."""
    low: float | None
    high: float | None
    """Ends of the skill's 95 % interval."""


class UncorrectedMessage(Message, frozen=True, kw_only=True):
    """Forecasts as the ensemble alone gave them, before correction."""

    crps: float
    coverage: tuple[float, float, float]
    persistence: AgainstMessage


class OfSizeMessage(Message, frozen=True, kw_only=True):
    """Forecasts of about one size."""

    low: float
    high: float
    """Least and largest median among them, in the unit."""
    count: int
    crps: float
    coverage: tuple[float, float, float]


class ScoreMessage(Message, frozen=True, kw_only=True):
    """How forecasts of one variable at one lead turned out."""

    variable: str
    unit: str
    lead_s: float
    every_s: float
    """Between two issues."""
    count: int
    """Forecasts whose truth came."""
    since: Time
    until: Time
    """Valid times of the first and of the last."""
    crps: float
    """Mean continuous ranked probability score, in the unit."""
    error: float
    """Mean distance of the truth from the median, in the unit."""
    coverage: tuple[float, float, float]
    """Share of truths within the 50, 80 and 90 % intervals."""
    persistence: AgainstMessage
    spread_known: bool
    """Whether persistence had the distribution of its own errors."""
    climatology: AgainstMessage | None
    before: UncorrectedMessage
    sizes: list[OfSizeMessage]
    """Small, middling and large forecasts, a third each; none while they are few."""


class TrustMessage(Message, frozen=True, kw_only=True):
    """How well a twin is in step."""

    twin: str
    phase: str
    source: str
    staleness: Staleness
    members: int
    failed_members: int
    assimilated: int
    too_late: int
    model: str
    recovered: int
    """How often the ensemble had lost its original and was widened again."""
    channels: list[ChannelTrustMessage]
    scores: list[ScoreMessage]
    """Of its forecasts as issued; none where the twin declares no leads."""


class TwinMessage(Message, frozen=True, kw_only=True):
    """One twin in a list."""

    name: str
    model: str
    phase: str
    members: int
    source: str
    staleness: Staleness


class TwinsMessage(Message, frozen=True, kw_only=True):
    """The twins that may be seen, in the order of declaration."""

    total: int
    twins: list[TwinMessage]


class VariableMessage(Message, frozen=True, kw_only=True):
    """A declared variable."""

    name: str
    role: str
    """``state``, ``param``, ``const``, ``input``, ``control``, ``sensor``, ``virtual``."""
    unit: str
    least: float | None = None
    most: float | None = None
    measure: str | None = None
    """Of a sensor: ``instant``, ``mean``, ``sum``, ``counter``."""
    over_s: float | None = None
    """Of a sensor: how long the interval is that a reading covers."""
    choices: tuple[str, ...] = ()
    """Of a control that is one of some texts: these; its value is the number of one, from 0."""


class PartMessage(Message, frozen=True, kw_only=True):
    """A named piece of a twin."""

    name: str
    type: str
    place: dict[str, float]
    variables: list[str]
    feeds: list[str]
    on: list[str]
    near: list[str]
    probability: float | None = None
    """That what was asked for holds now."""


class PartsMessage(Message, frozen=True, kw_only=True):
    """Parts that fit what was asked."""

    twin: str
    parts: list[PartMessage]
    source: str
    staleness: Staleness


class RelationMessage(Message, frozen=True, kw_only=True):
    """How one part stands to another."""

    source: str
    relation: str
    target: str


class BindingMessage(Message, frozen=True, kw_only=True):
    """Which channel is which variable."""

    channel: str
    variable: str
    unit: str
    """Of the channel's numbers on the link."""


class SchemaMessage(Message, frozen=True, kw_only=True):
    """What a twin declares."""

    twin: str
    model: str
    phase: str
    members: int
    step_s: float
    zone: str
    variables: list[VariableMessage]
    shown: list[str]
    """The variables' names in the order in which they are shown."""
    parts: list[PartMessage]
    relations: list[RelationMessage]
    bindings: list[BindingMessage]
    source: str
    staleness: Staleness


class ReadingsMessage(Message, frozen=True, kw_only=True):
    """Readings in columns of one length."""

    twin: str
    channel: list[str]
    """``link/channel``."""
    valid_at: list[Time]
    valid_from: list[Time]
    """Equal to ``valid_at`` for an instant."""
    value: Series
    unit: list[str]
    variable: list[str]
    sample: list[int]
    revision: list[int]
    """The source's own number, or -1."""
    quality: list[str]
    source: str
    staleness: Staleness


class RefusedReading(Message, frozen=True, kw_only=True):
    """A reading that was not taken; it is in the quarantine."""

    channel: str
    reason: str


class TakenMessage(Message, frozen=True, kw_only=True):
    """What became of readings that were sent. All of it is durable."""

    committed: int
    refused: list[RefusedReading]
    error: str | None = None
    """``ReadingError`` where nothing was committed."""
    message: str | None = None


class Held(Message, frozen=True, kw_only=True):
    """One variable now."""

    unit: str
    mean: float | None
    sd: float | None
    q05: float | None
    q95: float | None


class SummaryMessage(Message, frozen=True, kw_only=True):
    """A twin in short: an event of the stream."""

    twin: str
    phase: str
    source: str
    staleness: Staleness
    variables: dict[str, Held]
    """Empty before there is an estimate."""
    note: str | None = None
    """Why there is none."""


class WarningMessage(Message, frozen=True, kw_only=True):
    """How an alert stands, and how it has done so far."""

    name: str
    condition: str
    within_s: float
    likely: float
    is_on: bool
    is_so: bool
    """The condition holds, as far as the twin can tell."""
    chance: float | None
    issued_at: Time | None
    issues: int
    hits: int
    misses: int
    false_alarms: int
    median_lead_s: float | None
    brier_skill: float | None


class WarningsMessage(Message, frozen=True, kw_only=True):
    """The alerts of a twin, in the order of declaration."""

    twin: str
    warnings: list[WarningMessage]
    source: str
    staleness: Staleness
