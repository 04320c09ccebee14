"""Plans: what should be done, what it rests on, and what is then expected to be seen."""

from __future__ import annotations

import math
from dataclasses import dataclass
from hashlib import sha256
from itertools import pairwise
from typing import Final

import msgspec
from typing_extensions import override

from gemeos.errors import InputError
from gemeos.schema.intervention import Changes, changes
from gemeos.units import iso, known_unit
from gemeos.units.instant import SECOND, Instant, Span

LONGEST_NAME: Final = 100
MOST_INSTANTS: Final = 10_000
"""Of one band."""


@dataclass(frozen=True, slots=True)
class Band:
    """Where one variable is expected to be, instant by instant."""

    variable: str
    unit: str
    share: float
    """How much of what may be lies within, 0..1, equal tails outside."""
    valid_at: tuple[Instant, ...]
    """Rising."""
    low: tuple[float, ...]
    high: tuple[float, ...]

    def __post_init__(self) -> None:
        known_unit(self.unit)
        count = len(self.valid_at)
        if not 1 <= count <= MOST_INSTANTS or not count == len(self.low) == len(self.high):
            raise InputError(
                f"The band of {self.variable} has {count} instants, {len(self.low)} low and "
                f"{len(self.high)} high ends: as many of each, 1 to {MOST_INSTANTS}."
            )
        if any(b <= a for a, b in pairwise(self.valid_at)):
            raise InputError(f"The instants of the band of {self.variable} do not rise.")
        if not 0.0 < self.share < 1.0:
            raise InputError(f"The band of {self.variable} holds a share of {self.share}.")
        for low, high in zip(self.low, self.high, strict=True):
            if not (math.isfinite(low) and math.isfinite(high) and low <= high):
                raise InputError(f"The band of {self.variable} has the ends {low} and {high}.")

    def around(self, at: Instant) -> tuple[float, float] | None:
        """Its ends at ``at``, straight between its instants; None outside of them."""
        if not self.valid_at[0] <= at <= self.valid_at[-1]:
            return None
        last = next(i for i, each in enumerate(self.valid_at) if at <= each)
        if self.valid_at[last] == at:
            return self.low[last], self.high[last]
        begin, end = self.valid_at[last - 1], self.valid_at[last]
        part = (at - begin) / (end - begin)
        return (
            self.low[last - 1] + part * (self.low[last] - self.low[last - 1]),
            self.high[last - 1] + part * (self.high[last] - self.high[last - 1]),
        )


@dataclass(frozen=True, slots=True)
class Gain:
    """How much better than doing nothing, with its doubt."""

    of: str
    """What is gained: the objective, in words."""
    unit: str
    mean: float
    low: float
    high: float
    share: float = 0.9
    """How surely it lies between ``low`` and ``high``, 0..1."""

    @override
    def __str__(self) -> str:
        unit = f" {self.unit}" if self.unit else ""
        return f"{self.of}: {self.mean:.4g}{unit} ({self.low:.4g} to {self.high:.4g})"


@dataclass(frozen=True, slots=True)
class Price:
    """What a plan costs, in the words in which somebody declared it."""

    of: str
    """As an objective is written."""
    unit: str
    plan: float
    nothing: float
    """What doing nothing costs."""
    low: float
    high: float
    """Ends of the interval of how much more the plan costs than doing nothing."""
    share: float
    """How surely it lies between ``low`` and ``high``, 0..1."""

    @override
    def __str__(self) -> str:
        unit = f" {self.unit}" if self.unit else ""
        more = f"{self.plan - self.nothing:+.4g} ({self.low:+.4g} to {self.high:+.4g})"
        return f"{self.of} = {self.plan:.4g}{unit}, {more} beside nothing"


@dataclass(frozen=True, slots=True)
class Cost:
    """What it took to find a plan, and what the plan itself costs."""

    runs: int
    """Of the search: one candidate with a block of members each."""
    checked: int
    """Members that no search saw, on which it was held against doing nothing."""
    took: Span
    """By the machine's clock, search and check."""
    price: Price | None = None
    """None where nobody declared what choices cost, or it could not be told."""

    @override
    def __str__(self) -> str:
        return f"{self.runs} runs, {self.checked} members to check it, {self.took / SECOND:.3g} s"


@dataclass(frozen=True, slots=True)
class Promise:
    """What the plan will have brought, so that it can be held against what it did (the ledger).

    ``Plan.gain`` says how sure the *mean* gain is; what one reality gains is less sure, and told
    here: the quantiles of the members' gains, one for each way that things may go.
    """

    objective: str
    """As it was written; of a risk over members (``cvar``, ``quantile``) what one member counts."""
    sense: str
    """``minimise`` or ``maximise``."""
    until: Span
    """How long after its beginning it is counted."""
    every: Span
    """Between two instants that are looked at."""
    gain: Gain
    members: int
    """How many ways for things to go it rests on."""

    def __post_init__(self) -> None:
        if self.sense not in {"minimise", "maximise"}:
            raise InputError(f"A promise minimises or maximises; it cannot {self.sense!r}.")
        if not 0 < self.every <= self.until:
            raise InputError("A promise looks at one instant at least, and reaches that far.")


def chance_told(best: float, finalists: int | None, loss: str) -> str:
    """How sure the choice among the finalists of a search is, for people.

    Args:
        best: That the choice is the best of them, 0..1.
        finalists: How many they are; None where that is not known any more.
        loss: What may be lost by not taking another one, with its unit; empty where not told.
    """
    many = "the finalists" if finalists is None else f"{finalists} finalists"
    # A small chance alone would alarm where the finalists are nearly the same.
    lost = loss and f"; another one may be better, by {loss} on average"
    return f"Of {many} it is the best with chance {best:.0%}{lost}."


@dataclass(frozen=True, slots=True)
class Plan:
    """What should be done to one twin's controls. What happens to it is kept apart from it."""

    twin: str
    name: str
    """One of a twin has it."""
    changes: dict[str, str]
    """By control, in the words of ``gemeos.schema.intervention``; spans count from ``begins_at``,
    or, where that is None, from the moment it is applied."""
    made_at: Instant
    actor: str
    """Who made it, or asked for it to be made."""
    cause: str
    """What it was made from: ``scenario calm``, ``optimise calm`` ..."""
    expires_at: Instant
    """It is not begun later."""
    state_at: Instant
    """The instant of the state that it rests on."""
    begins_at: Instant | None = None
    origin: str = ""
    """Hash of that state."""
    model: str = ""
    """Identity of the model that foresaw it."""
    bands: tuple[Band, ...] = ()
    """What is expected to be read if it is carried out."""
    nothing: tuple[Band, ...] = ()
    """What is expected if nothing is done."""
    gain: Gain | None = None
    best: float | None = None
    """Probability that it is the best of the finalists, 0..1."""
    recommended: bool = True
    reasons: tuple[str, ...] = ()
    """Why it is recommended."""
    against: tuple[str, ...] = ()
    """Why it is not; at least one where it is not."""
    not_modelled: tuple[str, ...] = ()
    """What the forecast leaves out."""
    seeds: tuple[int, ...] = ()
    candidates: int = 0
    """How many were tried."""
    promise: Promise | None = None
    """What the ledger will hold it to; None where nothing was promised."""
    cost: Cost | None = None
    """None where no search found it."""
    latest: Instant | None = None
    """The latest useful moment: put into force later than that it was not shown to gain."""
    loss: float | None = None
    """By how much the best of the finalists is better than it: expected, in the unit of the gain.
    None where no search told it."""
    finalists: int | None = None
    """Among how many ``best`` is told, itself with them; None in plans of before they were told."""
    rivals: int | None = None
    """Of the other finalists that are not shown to be worse; None as ``loss``."""

    def __post_init__(self) -> None:
        bad = [c for c in self.name if c.isspace() or c in "/?#:%"]
        if bad or not 0 < len(self.name) <= LONGEST_NAME:
            raise InputError(
                f"{self.name[:LONGEST_NAME]!r} cannot name a plan: 1 to {LONGEST_NAME} characters, "
                "no spaces, none of '/', '?', '#', ':', '%'."
            )
        if not self.changes:
            raise InputError(f"The plan {self.name} changes nothing: there is nothing to apply.")
        if self.expires_at <= self.made_at:
            raise InputError(f"The plan {self.name} would expire before it is made.")
        if self.best is not None and not 0.0 <= self.best <= 1.0:
            raise InputError(f"P(best) of {self.name} is {self.best}; it lies within 0 and 1.")
        if not self.recommended and not self.against:
            raise InputError(f"The plan {self.name} is not recommended: say why, against=...")
        changes(self.changes)

    @property
    def read(self) -> Changes:
        """Its changes, read."""
        return changes(self.changes)

    @property
    def id(self) -> str:
        """Hash of everything in it: a plan of the same name that says otherwise is another one."""
        told = msgspec.to_builtins(self, builtin_types=(bytes,))
        for later in ("promise", "cost", "latest", "loss", "finalists", "rivals"):
            if told[later] is None:
                # As plans were hashed before there was such a thing: what was applied stays known.
                del told[later]
        return sha256(msgspec.msgpack.encode(told)).hexdigest()[:24]

    @property
    def loss_told(self) -> str:
        """What may be lost by not taking another finalist, with its unit; empty if not told."""
        if self.loss is None:
            return ""
        unit = "" if self.gain is None or not self.gain.unit else f" {self.gain.unit}"
        return f"{self.loss:.2g}{unit}"

    def to_bytes(self) -> bytes:
        """For the store and the wire."""
        return msgspec.msgpack.encode(self)

    @staticmethod
    def from_bytes(stored: bytes) -> Plan:
        """What ``to_bytes`` wrote.

        Raises:
            InputError: it is no plan.
        """
        try:
            return msgspec.msgpack.decode(stored, type=Plan)
        except (msgspec.MsgspecError, InputError) as error:
            raise InputError(f"This is no plan: {error}") from error

    @override
    def __repr__(self) -> str:
        """What somebody has to know who is asked to approve it."""
        head = f"Plan {self.name} for {self.twin}, by {self.actor} from {self.cause}"
        told = [f"{name} = {text}" for name, text in self.changes.items()]
        told.append(f"rests on {iso(self.state_at)}, expires {iso(self.expires_at)}")
        if self.gain is not None:
            told.append(f"gain: {self.gain}")
        if self.promise is not None:
            told.append(f"promised, {self.promise.gain.share:.0%}: {self.promise.gain}")
        if self.best is not None:
            told.append(chance_told(self.best, self.finalists, self.loss_told))
            if self.rivals is not None:
                told.append(f"not shown to be worse: {self.rivals} of the other finalists")
            told.append(f"candidates that were tried: {self.candidates}")
        if self.cost is not None:
            told.append(f"found by {self.cost}")
            if self.cost.price is not None:
                told.append(f"costs: {self.cost.price}")
        if self.latest is not None:
            told.append(f"of use if begun by {iso(self.latest)}")
        told += [f"because {each}" for each in self.reasons]
        told += [f"NOT recommended: {each}" for each in self.against]
        told += [f"not modelled: {each}" for each in self.not_modelled]
        return "\n  ".join([head, *told])
