"""How answers look in a terminal."""

from __future__ import annotations

import math

from rich.table import Table

from gemeos.runtime.trust import Trust
from gemeos.units import iso
from gemeos.units.instant import SECOND, Span


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


def trust_table(trust: Trust) -> Table:
    """One twin's trust: the phase first, then each channel."""
    table = Table(
        title=(
            f"{trust.twin} is {trust.phase.value}  ({trust.source})\n"
            f"newest reading {aged(trust.age)} old; {trust.assimilated} readings assimilated, "
            f"{trust.too_late} too late; {trust.members} members, "
            f"{trust.failed_members} replaced, found again {trust.recovered} times\n"
            f"at {iso(trust.now)}, model {trust.model[:24]}"
        ),
        title_justify="left",
    )
    for heading in ("channel", "of", "is", "readings", "last", "every", "innovation", "surprise"):
        words = heading in {"channel", "of", "is"}
        table.add_column(
            heading, justify="left" if words else "right", overflow="fold" if words else "ellipsis"
        )
    for channel in trust.channels:
        table.add_row(
            channel.channel,
            channel.variable,
            channel.verdict.name.lower(),
            str(channel.readings),
            number(channel.last_value),
            "-" if channel.usual_interval is None else aged(channel.usual_interval),
            number(channel.innovation),
            number(channel.surprise),
        )
    return table
