"""What goes over the wire about plans; the rules of ``messages`` hold."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta

from gemeos.serve.messages import Message, Staleness, Time
from gemeos.serve.site_messages import EventMessage

StageWord: TypeAlias = Literal[
    "under way", "kept", "being undone", "undone", "overridden", "stopped", "failed"
]
CommandWord: TypeAlias = Literal[
    "decided",
    "dropped",
    "intended",
    "accepted",
    "refused",
    "silent",
    "taken",
    "not taken",
    "overridden",
    "undone",
]
RoleWord: TypeAlias = Literal["viewer", "operator", "approver", "admin"]
Text: TypeAlias = Annotated[str, Meta(max_length=1000)]
Texts: TypeAlias = Annotated[list[Text], Meta(max_length=100)]


class BandMessage(Message, frozen=True, kw_only=True):
    """Where a variable is expected; columns of one length."""

    variable: str
    unit: str
    share: float
    """How much of what may be lies within."""
    times: Annotated[list[Time], Meta(min_length=1, max_length=10_000)]
    low: list[float]
    high: list[float]


class PlanGainMessage(Message, frozen=True, kw_only=True):
    """How much better than doing nothing."""

    of: str
    unit: str
    mean: float
    low: float
    high: float
    share: float


class PriceMessage(Message, frozen=True, kw_only=True):
    """What a plan costs, in the words in which somebody declared it."""

    of: Annotated[str, Meta(max_length=1000)]
    unit: str
    plan: float
    nothing: float
    low: float
    """Ends of the interval of how much more it costs than doing nothing."""
    high: float
    share: float


class CostMessage(Message, frozen=True, kw_only=True):
    """What it took to find a plan, and what it costs."""

    runs: Annotated[int, Meta(ge=0, le=2**53)]
    checked: Annotated[int, Meta(ge=0, le=2**53)]
    took_s: Annotated[float, Meta(ge=0, le=2**33)]
    price: PriceMessage | None


class PromiseMessage(Message, frozen=True, kw_only=True):
    """What one reality will gain, so that it can be held against what it did."""

    objective: Annotated[str, Meta(max_length=1000)]
    sense: Literal["minimise", "maximise"]
    until_s: Annotated[float, Meta(gt=0, le=2**33)]
    """How long after its beginning it is counted."""
    every_s: Annotated[float, Meta(gt=0, le=2**33)]
    gain: PlanGainMessage
    members: Annotated[int, Meta(ge=0, le=2**53)]


class PlanBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A plan that is to be kept. Whoever sends it is who made it."""

    name: Annotated[str, Meta(min_length=1, max_length=100)]
    changes: Annotated[dict[str, str], Meta(min_length=1, max_length=1000)]
    """By control, as in ``ramp to 3 deg over 10 min``."""
    expires_at: Time
    state_at: Time
    cause: Text = "made by hand"
    made_at: Time | None = None
    begins_at: Time | None = None
    origin: Text = ""
    model: Text = ""
    bands: Annotated[list[BandMessage], Meta(max_length=100)] = []
    nothing: Annotated[list[BandMessage], Meta(max_length=100)] = []
    gain: PlanGainMessage | None = None
    best: float | None = None
    recommended: bool = True
    reasons: Texts = []
    against: Texts = []
    not_modelled: Texts = []
    seeds: Annotated[list[Annotated[int, Meta(ge=0, le=2**53)]], Meta(max_length=1000)] = []
    candidates: Annotated[int, Meta(ge=0, le=2**53)] = 0
    promise: PromiseMessage | None = None
    cost: CostMessage | None = None
    latest: Time | None = None
    """Put into force later than that it was not shown to gain."""
    loss: float | None = None
    """By how much another finalist may be better, expected, in the unit of the gain."""
    finalists: Annotated[int, Meta(ge=1, le=2**53)] | None = None
    """Among how many ``best`` is told."""
    rivals: Annotated[int, Meta(ge=0, le=2**53)] | None = None
    """Of the other finalists that are not shown to be worse."""
    replacing: bool = False
    """Take the place of a plan of that name."""


class PlanOfScenarioBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """How a plan is made of a scenario."""

    name: Annotated[str, Meta(min_length=1, max_length=100)] | None = None
    """By default the scenario's."""
    on: Annotated[list[str], Meta(max_length=100)] = []
    """What reality is compared with; by default every sensor that a channel is bound to."""
    share: Annotated[float, Meta(gt=0, lt=1)] = 0.9
    expires: Annotated[str, Meta(max_length=100)] = "10 min"
    replacing: bool = False


class PlanOfOptimisationBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """How a plan is made of what a search found."""

    on: Annotated[list[str], Meta(max_length=100)] = []
    """What reality is compared with; by default every sensor that a channel is bound to."""
    share: Annotated[float, Meta(gt=0, lt=1)] = 0.9
    expires: Annotated[str, Meta(max_length=100)] = "10 min"
    replacing: bool = False


class ApplyBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """How a plan is applied."""

    dry_run: bool = True
    """Go all the way to the sending, and tell what would be sent."""
    approve: bool = False
    """Whoever asks approves it, too."""


class WhyBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A reason, in a few words."""

    why: Annotated[str, Meta(max_length=1000)] = ""


class ApproveBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Nothing has to be told."""


class ApprovalMessage(Message, frozen=True, kw_only=True):
    """Somebody lets it be applied."""

    actor: str
    role: RoleWord
    at: Time
    event: int


class CommandMessage(Message, frozen=True, kw_only=True):
    """A value for a control, in its declared unit."""

    id: str
    control: str
    value: float
    unit: str
    valid_from: Time
    expires_at: Time
    actor: str
    cause: str
    choices: tuple[str, ...] = ()
    """What the numbers of the control stand for, where it is a choice of texts."""


class IssuedMessage(Message, frozen=True, kw_only=True):
    """A command and what became of it."""

    command: CommandMessage
    state: CommandWord
    undo: bool
    before: float
    """Where the control stood before the plan."""
    tolerance: float
    stands: float | None
    """What the device said last."""
    since: Time
    why: str
    event: int


class WatchMessage(Message, frozen=True, kw_only=True):
    """How a variable has kept to its band."""

    variable: str
    compared: int
    outside: int
    ratio: float
    until: Time | None


class UndertakingMessage(Message, frozen=True, kw_only=True):
    """A plan being carried out."""

    stage: StageWord
    reason: str
    actor: str
    begun_at: Time
    watch_until: Time
    settle_s: float
    lasting_s: float
    commands: list[IssuedMessage]
    watches: list[WatchMessage]
    """One for each band of the plan, in their order."""
    event: int


class PlanMessage(Message, frozen=True, kw_only=True):
    """A plan, who let it be applied, and how far it is."""

    id: str
    twin: str
    name: str
    changes: dict[str, str]
    made_at: Time
    actor: str
    cause: str
    expires_at: Time
    state_at: Time
    begins_at: Time | None
    origin: str
    model: str
    bands: list[BandMessage]
    nothing: list[BandMessage]
    gain: PlanGainMessage | None
    best: float | None
    recommended: bool
    reasons: list[str]
    against: list[str]
    not_modelled: list[str]
    seeds: list[int]
    candidates: int
    promise: PromiseMessage | None
    cost: CostMessage | None
    latest: Time | None
    loss: float | None = None
    """By how much another finalist may be better, expected, in the unit of the gain."""
    finalists: int | None = None
    """Among how many ``best`` is told."""
    rivals: int | None = None
    """Of the other finalists that are not shown to be worse."""
    approvals: list[ApprovalMessage]
    event: int
    undertaking: UndertakingMessage | None
    source: str
    staleness: Staleness


class PlansMessage(Message, frozen=True, kw_only=True):
    """The plans of a twin, the oldest first."""

    twin: str
    plans: list[PlanMessage]
    source: str
    staleness: Staleness


class AppliedMessage(Message, frozen=True, kw_only=True):
    """What came of asking for a plan to be applied."""

    plan: PlanMessage
    dry_run: bool
    commands: list[CommandMessage]
    """What is sent, or would be."""
    against: list[str]
    """In a dry run: everything that speaks against it."""
    source: str
    staleness: Staleness


class KillMessage(Message, frozen=True, kw_only=True):
    """A kill switch that is engaged."""

    twin: str
    """Empty for the whole site."""
    actor: str
    why: str
    at: Time
    now: Time
    """Site time."""


class KillsMessage(Message, frozen=True, kw_only=True):
    """Those that are engaged."""

    engaged: list[KillMessage]
    now: Time
    """Site time."""


class ReleasedMessage(Message, frozen=True, kw_only=True):
    """Whether there was one to release."""

    released: bool
    now: Time
    """Site time."""


class WhyMessage(Message, frozen=True, kw_only=True):
    """Why a control stood where it did."""

    twin: str
    control: str
    at: Time
    chain: list[EventMessage]
    """From the first cause to what moved it last; empty where nothing was sent to it by then."""
    came_of_it: list[EventMessage]
    told: str
    """The same for people."""
    source: str
    staleness: Staleness
