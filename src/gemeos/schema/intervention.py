"""Interventions: what somebody would change, as it is written and stored.

One wording everywhere, in Python, on the command line, over HTTP and in the store::

    changes  = change {";" change}
    change   = course ["after" span] ["for" span] ["when" condition]
    course   = value
             | "ramp" ["from" quantity] "to" quantity "over" span
             | "profile" span ":" quantity {"," span ":" quantity}
             | "times" number
             | "renewed"

A value is a quantity, or of a control that is a choice one of its texts: ``night``, in quotes
where it is no bare word. As in ``200 km/h``, ``ramp to 200 km/h over 2 h``, ``times 0.8 after 1 h
for 30 min``, ``0 kW when stress > 120 MPa``. Spans count from the instant of the fork; with
``when``, from the instant at which the condition first holds in a member, each member's own. What
these words do to a twin is in ``gemeos.foresee.intervene``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final, TypeAlias

from typing_extensions import override

from gemeos.errors import GemeosError, InterventionError, TimeError
from gemeos.schema.choice import Text, shielded, unshielded
from gemeos.schema.choice import value as value_of
from gemeos.schema.schema import Schema
from gemeos.schema.variable import Control
from gemeos.units import Quantity, Span, instant, iso, quantity, span, span_told
from gemeos.units.instant import SECOND, Instant

LONGEST: Final = 4000
"""Characters of the changes of one variable."""
MOST: Final = 200
"""Changes of one variable, and points of one profile."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Set, and kept there."""

    value: Quantity | Text

    @override
    def __str__(self) -> str:
        return str(self.value)


@dataclass(frozen=True, slots=True)
class Ramp:
    """Moved evenly, and kept at the end."""

    end: Quantity
    over: Span
    start: Quantity | None = None
    """None: from where it is."""

    def __post_init__(self) -> None:
        if self.over <= 0:
            raise InterventionError(f"A ramp takes time; {span_told(self.over)} is none.")

    @override
    def __str__(self) -> str:
        start = "" if self.start is None else f"from {self.start} "
        return f"ramp {start}to {self.end} over {span_told(self.over)}"


@dataclass(frozen=True, slots=True)
class Profile:
    """Straight from point to point, and kept at the last."""

    points: tuple[tuple[Span, Quantity], ...]
    """At least two, rising in time."""

    def __post_init__(self) -> None:
        times = [at for at, _ in self.points]
        if not 2 <= len(times) <= MOST:
            raise InterventionError(f"A profile has 2 to {MOST} points, not {len(times)}.")
        if times[0] < 0 or any(b <= a for a, b in pairwise(times)):
            raise InterventionError("The times of a profile rise, from 0 s or later.")

    @override
    def __str__(self) -> str:
        return "profile " + ", ".join(f"{span_told(at)}: {value}" for at, value in self.points)


@dataclass(frozen=True, slots=True)
class Times:
    """What it would be without this change, times a factor."""

    factor: float

    def __post_init__(self) -> None:
        if not math.isfinite(self.factor):
            raise InterventionError(f"The factor of 'times' is a number; {self.factor} is none.")

    @override
    def __str__(self) -> str:
        return f"times {self.factor!r}"


@dataclass(frozen=True, slots=True)
class Renewed:
    """As new: drawn again from its prior, or from those of a part's states and params."""

    @override
    def __str__(self) -> str:
        return "renewed"


Course: TypeAlias = Hold | Ramp | Profile | Times | Renewed


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that would be done to one variable or part."""

    course: Course
    after: Span = 0
    """Between the fork, or the condition, and the change."""
    lasting: Span | None = None
    """How long; None to the end."""
    when: str | None = None
    """The condition that a member waits for; None where there is none."""

    def __post_init__(self) -> None:
        if self.after < 0:
            raise InterventionError(
                f"{self} lies before the fork, in what has happened. Fork earlier instead: at=..."
            )
        if self.lasting is not None and self.lasting <= 0:
            raise InterventionError(f"{self} would last no time at all.")

    @override
    def __str__(self) -> str:
        after = f" after {span_told(self.after)}" if self.after else ""
        lasting = "" if self.lasting is None else f" for {span_told(self.lasting)}"
        return f"{self.course}{after}{lasting}{'' if self.when is None else f' when {self.when}'}"


Written: TypeAlias = "str | float | Change | Sequence[str | Change]"
"""How a program may write the changes of one variable."""
Changes: TypeAlias = Mapping[str, tuple[Change, ...]]
"""By variable or part; of two that act at one time the later in the row counts."""


def changes(written: Mapping[str, Written], *, fork: Instant | None = None) -> Changes:
    """Read what somebody wrote.

    Args:
        written: By variable or part.
        fork: When the changes would begin, where that is known: whoever wrote a moment in place of
            a span is told where it lies.

    Raises:
        InterventionError: it cannot be read; the message tells of which variable.
    """
    read = {}
    for name, told in written.items():
        try:
            read[name] = tuple(_several(told, fork))
        except GemeosError as error:
            raise InterventionError(f"{name}: {error}") from error
        if not 1 <= len(read[name]) <= MOST:
            raise InterventionError(f"{name}: 1 to {MOST} changes, not {len(read[name])}.")
    return read


def as_written(told: Changes) -> dict[str, str]:
    """The text that ``changes`` reads back to the same."""
    return {name: "; ".join(map(str, each)) for name, each in told.items()}


def in_words(schema: Schema, told: Changes) -> Changes:
    """With the texts of choices in place of their numbers.

    Raises:
        ChoiceError: what a control is set to is none of its choices.
        UnitError: it is set to a text, and has none.
    """
    return {name: tuple(_worded(schema, name, each) for each in row) for name, row in told.items()}


def _worded(schema: Schema, name: str, change: Change) -> Change:
    control = next((v for v in schema.variables if v.name == name), None)
    if not isinstance(control, Control) or not isinstance(change.course, Hold):
        return change
    is_said = control.choices or isinstance(change.course.value, Text)
    text = control.text(control.number(change.course.value)) if is_said else None
    return change if text is None else replace(change, course=Hold(text))


def _several(told: Written, fork: Instant | None) -> list[Change]:
    if isinstance(told, Change):
        return [told]
    if isinstance(told, (int, float)):
        if not math.isfinite(told):
            raise InterventionError(f"{told} cannot be set.")
        return [Change(Hold(Quantity(float(told), "")))]
    if isinstance(told, str):
        if len(told) > LONGEST:
            raise InterventionError(f"{len(told)} characters; at most {LONGEST} are read.")
        return [_change(piece, fork) for piece in shielded(told).split(";")]
    return [change for each in told for change in _several(each, fork)]


_WHEN = re.compile(r"(?:^|\s)when\s")
_TIMING = re.compile(r"\s(after|for)\s")
_MOMENT = re.compile(
    r"\s(?:at|since|until|before|(?:from|after|for|on|by)(?=\s+(?:\d{4}-\d|\d{1,2}:\d)))\s+"
    r"(?P<moment>.+)"
)
"""A moment where only a span can stand."""
_RAMP = re.compile(r"ramp\s+(?:from\s+(?P<start>.+?)\s+)?to\s+(?P<end>.+?)\s+over\s+(?P<over>.+)")


def _change(text: str, fork: Instant | None) -> Change:
    head, *condition = _WHEN.split(text.strip(), maxsplit=1)
    moment = _MOMENT.search(head)
    if moment is not None:
        raise InterventionError(
            _no_moment(unshielded(head).strip(), unshielded(moment["moment"]).strip(), fork)
        )
    course, *timing = _TIMING.split(head)
    told: dict[str, Span] = {}
    for word, length in zip(timing[::2], timing[1::2], strict=True):
        if word in told:
            raise InterventionError(f"{unshielded(text).strip()!r} says {word!r} twice.")
        told[word] = span(length)
    change = Change(_course(course.strip()), told.get("after", 0), told.get("for"))
    return replace(change, when=unshielded(condition[0]).strip()) if condition else change


def _no_moment(text: str, moment: str, fork: Instant | None) -> str:
    """Why a moment cannot stand there, and what can."""
    try:
        at = instant(moment)
    except TimeError:
        at = None
    if at is None or fork is None:
        return (
            f"{text!r} names a moment; changes count from the fork. Write it as in 'after 5 min', "
            "and where it is in the past, fork earlier: at=..."
        )
    if at < fork:
        return (
            f"{text!r} lies before the fork at {iso(fork - fork % SECOND)}, in what has happened. "
            f"Fork earlier instead: at={iso(at)}; changes count from there, as in 'after 5 min'."
        )
    ahead = (at - fork) // SECOND * SECOND
    return (
        f"{text!r} names a moment; changes count from the fork at {iso(fork - fork % SECOND)}. "
        f"Write 'after {span_told(ahead)}'."
    )


def _course(text: str) -> Course:
    word, _, rest = text.partition(" ")
    rest = rest.strip()
    match word:
        case "ramp":
            found = _RAMP.fullmatch(text)
            if found is None:
                raise InterventionError(
                    f"{text!r} is no ramp. Write it as in 'ramp to 200 km/h over 2 h', or "
                    "'ramp from 20 km/h to 200 km/h over 2 h'."
                )
            start = found["start"]
            return Ramp(
                quantity(found["end"]),
                span(found["over"]),
                None if start is None else quantity(start),
            )
        case "profile":
            return Profile(tuple(_point(p) for p in rest.split(",")))
        case "times":
            factor = quantity(rest)
            if factor.unit:
                raise InterventionError(f"'times' takes a plain number; {rest!r} has a unit.")
            return Times(factor.number)
        case "renewed" if not rest:
            return Renewed()
        case "":
            raise InterventionError("There is no change here. Write it as in '200 km/h'.")
        case _:
            return Hold(value_of(text))


def _point(text: str) -> tuple[Span, Quantity]:
    at, colon, value = text.partition(":")
    if not colon:
        raise InterventionError(
            f"{text.strip()!r} is no point of a profile. Write it as in '30 min: 80 km/h'."
        )
    return span(at.strip()), quantity(value.strip())


def hold(
    value: str,
    *,
    after: str = "0 s",
    lasting: str | None = None,
    when: str | None = None,
) -> Change:
    """Set to ``value``, as in ``"200 km/h"``, or in ``"night"`` of a choice."""
    return _timed(Hold(value_of(value)), after, lasting, when)


def ramp(
    start: str | None,
    end: str,
    over: str,
    *,
    after: str = "0 s",
    lasting: str | None = None,
    when: str | None = None,
) -> Change:
    """Moved evenly from ``start`` (None: from where it is) to ``end`` within ``over``."""
    begin = None if start is None else quantity(start)
    return _timed(Ramp(quantity(end), span(over), begin), after, lasting, when)


def profile(
    points: Sequence[tuple[str, str]],
    *,
    after: str = "0 s",
    lasting: str | None = None,
    when: str | None = None,
) -> Change:
    """Straight from point to point, as in ``[("0 h", "0 km/h"), ("1 h", "80 km/h")]``."""
    read = tuple((span(at), quantity(value)) for at, value in points)
    return _timed(Profile(read), after, lasting, when)


def times(
    factor: float,
    *,
    after: str = "0 s",
    lasting: str | None = None,
    when: str | None = None,
) -> Change:
    """``factor`` times what it would be without this change."""
    return _timed(Times(factor), after, lasting, when)


def renewed(*, after: str = "0 s", when: str | None = None) -> Change:
    """As new: a part, a state or a param drawn again from its prior."""
    return _timed(Renewed(), after, None, when)


def _timed(course: Course, after: str, lasting: str | None, when: str | None) -> Change:
    return Change(course, span(after), None if lasting is None else span(lasting), when)
