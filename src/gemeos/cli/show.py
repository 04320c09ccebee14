"""How answers look in a terminal. Tables are without lines: they fit 80 columns then."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Final

from rich.table import Table

from gemeos.runtime.alert import AlertStanding
from gemeos.runtime.trust import Trust
from gemeos.units import iso, span_told
from gemeos.units.instant import SECOND, Span

LEAST_NAME: Final = 12
"""Room for a name in a terminal that is too narrow for all."""
_OF_TRUST: Final = (
    "channel",
    "of",
    "is",
    "readings",
    "last",
    "every",
    "innovation",
    "surprise",
)
_PIECE: Final = re.compile(r"[^/._-]*[/._-]+|[^/._-]+")


def aged(age: Span | None) -> str:
    """An age in the unit that suits it."""
    if age is None:
        return "never heard"
    seconds = age / SECOND
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if abs(seconds) >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.1f} s"


def number(value: float | None) -> str:
    """Four digits that matter."""
    if value is None or math.isnan(value):
        return "-"
    return f"{value:.4g}"


def table_of(*headings: str) -> Table:
    """A table without lines, whose cells are folded where they are too long."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table


def broken(name: str, width: int) -> str:
    """A name in lines of at most ``width``, broken behind ``/``, ``.``, ``_`` and ``-``.

    A piece without any of these stays whole, however long.
    """
    lines = [""]
    for piece in _PIECE.findall(name):
        if lines[-1] and len(lines[-1]) + len(piece) > width:
            lines.append("")
        lines[-1] += piece
    return "\n".join(lines)


def trust_table(trust: Trust, width: int = 80) -> Table:
    """One twin's trust: the phase first, then each channel; names share what numbers leave."""
    table = Table(
        title=(
            f"{trust.twin} is {trust.phase.value}  ({trust.source})\n"
            f"newest reading {aged(trust.age)} old; {trust.assimilated} readings assimilated, "
            f"{trust.too_late} too late; {trust.members} members, "
            f"{trust.failed_members} replaced"
            f"{f'; lost and found again: {trust.recovered}' if trust.recovered else ''}\n"
            f"at {iso(trust.now)}, model {trust.model[:24]}"
        ),
        title_justify="left",
        box=None,
        padding=(0, 1, 0, 0),
    )
    rows = [
        (
            channel.channel,
            channel.variable,
            channel.verdict.name.lower(),
            str(channel.readings),
            number(channel.last_value),
            "-" if channel.usual_interval is None else aged(channel.usual_interval),
            number(channel.innovation),
            number(channel.surprise),
        )
        for channel in trust.channels
    ]
    wide = [max(map(len, cells)) for cells in zip(_OF_TRUST, *rows, strict=True)]
    room = max(width - sum(wide[2:]) - len(wide), 2 * LEAST_NAME)
    of = min(wide[1], max(room // 2, room - wide[0]))
    for place, heading in enumerate(_OF_TRUST):
        table.add_column(
            heading,
            justify="left" if place < 3 else "right",
            overflow="fold" if place < 2 else "ellipsis",
            no_wrap=place >= 2,
        )
    for name, variable, *others in rows:
        table.add_row(broken(name, room - of), broken(variable, of), *others)
    return table


def scores_table(trust: Trust) -> Table:
    """How its forecasts turned out: what was told, and what the model alone would have told."""
    table = Table(
        title=f"{trust.twin}'s forecasts as issued, held against what was read",
        title_justify="left",
        caption="skill: share of persistence's error done without, its 95 % interval, and that of "
        "the model alone; held: truths within 50/80/90 % intervals; by size: within 90 %, of "
        "small, middling and large forecasts",
        caption_justify="left",
        box=None,
        padding=(0, 1, 0, 0),
    )
    table.add_column("forecast of", overflow="fold")
    for heading in ("ahead", "CRPS", "unit", "skill", "interval", "alone", "held", "by size", "of"):
        table.add_column(heading, justify="left" if heading == "unit" else "right", no_wrap=True)
    for score in trust.scores:
        told = score.persistence
        table.add_row(
            score.variable,
            aged(score.lead),
            number(score.crps),
            score.unit,
            _skill(told.skill),
            "-" if told.low is None else f"{_skill(told.low)}..{_skill(told.high)}",
            _skill(score.before.persistence.skill),
            _percent(score.coverage),
            _percent([size.coverage[2] for size in score.sizes]) or "-",
            str(score.count),
        )
    return table


def _skill(skill: float | None) -> str:
    return "-" if skill is None else f"{skill:+.2f}"


def _percent(shares: Sequence[float]) -> str:
    return "/".join(f"{100 * share:.0f}" for share in shares)


def warnings_table(told: Sequence[AlertStanding]) -> Table:
    """Alerts, each with its own record: how often it came, was missed, or was a false alarm."""
    table = table_of(
        "alert", "is", "condition", "ahead", "chance", "hit", "missed", "false", "lead"
    )
    for each in told:
        table.add_row(
            each.name,
            "on" if each.is_on else "off",
            each.condition,
            span_told(each.within),
            "-" if each.chance is None else f"{each.chance:.0%}",
            str(each.hits),
            str(each.misses),
            str(each.false_alarms),
            "-" if each.median_lead is None else span_told(each.median_lead),
        )
    return table
