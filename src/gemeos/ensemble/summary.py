"""An estimate in a few lines, for terminals and notebooks."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Final

from gemeos.ensemble.marginal import Marginal, told

MOST_VARIABLES: Final = 40
"""Rows of a table; the rest is counted."""


def as_text(headline: str, origin: str, marginals: Sequence[Marginal]) -> str:
    """An aligned table below two lines; each marginal has one time, or the first and the last."""
    rows = [_header(marginals[0]), *(_row(m) for m in marginals[:MOST_VARIABLES])]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [headline, f"  {origin}"]
    for row in rows:
        # Names and units begin at one place; numbers end at one.
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:-1], widths[1:-1], strict=True)]
        lines.append(f"  {'  '.join([*cells, row[-1]])}".rstrip())
    return "\n".join([*lines, *_rest(marginals)])


def as_html(headline: str, origin: str, marginals: Sequence[Marginal]) -> str:
    """The same as HTML; every text is escaped, because names and sources come from outside."""
    head = "".join(f"<th>{escape(cell)}</th>" for cell in _header(marginals[0]))
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in _row(m)) + "</tr>"
        for m in marginals[:MOST_VARIABLES]
    )
    rest = "".join(f"<p>{escape(line.strip())}</p>" for line in _rest(marginals))
    return (
        f"<div><p><b>{escape(headline)}</b><br>{escape(origin)}</p>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{rest}</div>"
    )


def _header(marginal: Marginal) -> list[str]:
    ends = [""] if len(marginal.times) == 1 else ["first ", "last "]
    columns = [cell for end in ends for cell in (f"{end}mean", "+- sd", "90 % interval")]
    return ["variable", *columns, "unit"]


def _row(marginal: Marginal) -> list[str]:
    cells = [cell for index in range(len(marginal.times)) for cell in told(marginal, index)]
    return [marginal.name, *cells, marginal.unit or "1"]


def _rest(marginals: Sequence[Marginal]) -> list[str]:
    more = len(marginals) - MOST_VARIABLES
    return [f"  and {more} more variables"] if more > 0 else []
