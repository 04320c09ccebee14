"""What goes over the wire about the site as a whole; the rules of ``messages`` hold."""

from __future__ import annotations

from gemeos.serve.messages import Message, Plain, Time


class RefusedMessage(Message, frozen=True, kw_only=True):
    """One row of the quarantine."""

    link: str
    channel: str
    reason: str
    payload: str
    """The beginning of what came, as text; bytes that are none are escaped."""
    size: int
    """Bytes of the whole payload."""
    received_at: Time


class QuarantineMessage(Message, frozen=True, kw_only=True):
    """The newest refused rows first."""

    count: int | None
    """How many were ever refused; null for a token that sees only some links."""
    rows: list[RefusedMessage]
    source: str
    now: Time


class EventMessage(Message, frozen=True, kw_only=True):
    """A change or a decision: who, what, why."""

    number: int
    kind: str
    twin: str
    valid_at: Time
    known_at: Time
    actor: str
    cause: str
    body: dict[str, Plain]


class EventsMessage(Message, frozen=True, kw_only=True):
    """Newest first."""

    events: list[EventMessage]
    source: str
    now: Time


class LinkMessage(Message, frozen=True, kw_only=True):
    """One connection."""

    name: str
    open: bool
    finished: bool
    takes_posts: bool
    """Whether readings can be sent to it over HTTP."""
    channels: list[str]
    waiting: int
    """Messages, or readings that were sent over HTTP, that are not taken in yet."""
    dropped: int
    """Messages that a lossy link let go, since it was opened."""


class SiteMessage(Message, frozen=True, kw_only=True):
    """The running site."""

    name: str
    version: str
    zone: str
    clock: str
    """``wall`` or ``replay``."""
    speed: float
    source: str
    now: Time
    twins: list[str]
    links: list[LinkMessage]
    counted: dict[str, int]
    """Readings, duplicates, too late ones, refused ones, commits since the site started."""
    loop_lag_s: float
    notes: dict[str, str]


class Health(Message, frozen=True, kw_only=True):
    """Whether the process answers, and whether it can work."""

    live: bool
    ready: bool
    """The store is open."""
