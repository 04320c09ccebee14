"""How pages are written: every text escaped, tables that fit a phone, times for people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Final, final
from urllib.parse import quote

from gemeos.units.instant import SECOND, Span

_UNITS: Final = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


@final
class Html(str):
    """Text that is HTML already. All other text is escaped where it is put into a page."""

    __slots__ = ()


def html(text: str) -> str:
    """As it may stand in a page, also within an attribute."""
    return text if isinstance(text, Html) else escape(text)


def joined(parts: Iterable[str], between: str = "") -> Html:
    """One after the other."""
    return Html(html(between).join(html(part) for part in parts))


def path(*pieces: str) -> str:
    """A path of this site, each piece quoted."""
    return "/" + "/".join(quote(piece, safe="") for piece in pieces)


def link(text: str, to: str) -> Html:
    """A link to a page of this site."""
    return Html(f'<a href="{escape(to)}">{html(text)}</a>')


def badge(text: str, kind: str) -> Html:
    """A word that stands out. Its colour says nothing that the word does not say.

    ``kind`` is ``good``, ``warn``, ``bad`` or ``calm``.
    """
    return Html(f"<span class='badge {kind}'>{html(text)}</span>")


def code(text: str) -> Html:
    """What is to be typed exactly so."""
    return Html(f"<code>{html(text)}</code>")


def paragraph(text: str, kind: str = "") -> Html:
    """A paragraph of that class."""
    return Html(f"<p{f' class={kind!r}' if kind else ''}>{html(text)}</p>")


def listed(items: Iterable[str]) -> Html:
    """A list with a bullet each; nothing where there is nothing."""
    inside = "".join(f"<li>{html(item)}</li>" for item in items)
    return Html(f"<ul>{inside}</ul>" if inside else "")


def section(heading: str, inside: str, *, name: str = "", none: str = "none") -> Html:
    """A part of a page; ``name`` is what links point at."""
    at = f' id="{escape(name)}"' if name else ""
    told = inside or Html(f"<p>{html(none)}</p>")
    return Html(f"<section{at}><h2>{html(heading)}</h2>{html(told)}</section>")


def facts(pairs: Iterable[tuple[str, str]]) -> Html:
    """What something is, word by word; pairs without a text are left out."""
    told = "".join(
        f"<div><dt>{html(word)}</dt><dd>{html(text)}</dd></div>" for word, text in pairs if text
    )
    return Html(f"<dl class='facts'>{told}</dl>" if told else "")


def table(label: str, head: Sequence[str], rows: Iterable[Sequence[str]], kind: str) -> Html:
    """A table in a frame that scrolls by itself where there is no room for it."""
    heads = "".join(f"<th scope='col'>{html(cell)}</th>" for cell in head)
    # On a phone each row is a paragraph, in which its cells tell their headings themselves.
    body = "".join(
        f"<tr><th scope='row'>{html(row[0])}</th>"
        + "".join(
            f"<td data-of='{escape(of)}'>{html(cell)}</td>"
            for of, cell in zip(head[1:], row[1:], strict=True)
        )
        + "</tr>"
        for row in rows
    )
    return Html(
        f"<div class='frame' role='region' aria-label='{escape(label)}' tabindex='0'>"
        f"<table class='{kind}'><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def number(value: float | None, decimals: int | None = None) -> str:
    """Six digits that matter, or so many decimals."""
    if value is None:
        return "-"
    return f"{value:.6g}" if decimals is None else f"{value:z.{decimals}f}"


def few(value: float | None) -> str:
    """Four digits that matter."""
    return "-" if value is None else f"{value:.4g}"


def of_unit(text: str, unit: str) -> str:
    """A name with its unit, as in ``level, m``; what is a bare number has none to be told."""
    return f"{text}, {unit}" if unit else text


def length(of: Span) -> str:
    """A length of time in its two largest units, as in ``2 h 5 min``, or ``2 h``."""
    seconds = of / SECOND
    if seconds < 0:
        return f"-{length(-of)}"
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = int(seconds)
    told_in: list[str] = []
    for size, unit in _UNITS:
        count, whole = divmod(whole, size)
        if count or told_in:
            told_in.append(f"{count} {unit}" if count else "")
    return " ".join(filter(None, told_in[:2]))
