"""The ledger as a page: what applied plans promised, what they delivered, how often both agree."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from gemeos.runtime.ledger_row import Ledger, LedgerRow
from gemeos.serve import chart_ledger, markup
from gemeos.serve.markup import Html, badge, path, table
from gemeos.serve.page_plans import STAGES, gain
from gemeos.serve.view import Page, View, more

MOST_OF_TWIN: Final = 10
MOST_ROWS: Final = 50
MOST_DRAWN: Final = 20
_INSIDE: Final = {
    None: ("not judged", "calm"),
    True: ("as promised", "good"),
    False: ("NOT as promised", "bad"),
}


def of_twin(view: View, twin: str) -> Html:
    """That of one twin."""
    ledger = view.host.applying.ledgers.of(twin)
    api = path("api", "twins", twin, "ledger")
    shown = _told(view, ledger, f"ledger of {twin}", MOST_OF_TWIN, api)
    return markup.section("Ledger", shown, name="ledger", none="None yet: no plan was applied.")


def page(view: View) -> Page:
    """That of all twins that may be seen."""
    every = view.host.applying.ledgers.of().rows
    ledger = Ledger(tuple(row for row in every if view.actor.sees(row.twin)))
    shown = _told(view, ledger, "ledger", MOST_ROWS, path("api", "ledger"))
    explained = markup.paragraph(
        "Promised is what one reality should gain by the plan. Delivered is what was read, held "
        "against doing nothing worked out again with what really happened; it has its own doubt. "
        "Plans that were undone, overridden, stopped or overlapped are listed and not judged."
    )
    body = markup.joined(
        (
            Html(f"<article><h1>Ledger</h1>{explained}</article>"),
            markup.section("Applied plans", shown, none="None yet: no plan was applied."),
        )
    )
    return Page("Ledger", body)


def _told(view: View, ledger: Ledger, label: str, most: int, api: str) -> Html:
    if not ledger.rows:
        return Html("")
    kind = "good" if ledger.is_accepted else "bad"
    word = "nothing judged yet" if not ledger.judged else f"{ledger.kept} of {ledger.judged} kept"
    said = Html(
        f"<p>{badge(word, kind if ledger.judged else 'calm')} {markup.html(ledger.told)}</p>"
    )
    newest = ledger.rows[::-1][:most]
    pictured = chart_ledger.shown(newest)[:MOST_DRAWN]
    head = ("plan", "twin", "applied", "by", "promised", "delivered", "judged", "stage", "told")
    rows = [_row(view, each) for each in newest]
    return markup.joined(
        (
            said,
            _picture(pictured) if pictured else "",
            table(label, head, rows, "named"),
            more(len(ledger.rows), most, "plans", api),
        )
    )


def _picture(rows: Sequence[LedgerRow]) -> Html:
    caption = (
        "Each row is measured by its own promise: the band is the promised interval, the dot what "
        "was delivered, the line its doubt. Hollow: not judged. An arrow: farther out. The same "
        "in numbers below."
    )
    return Html(f"<figure>{chart_ledger.drawn(rows)}<figcaption>{caption}</figcaption></figure>")


def _by(row: LedgerRow) -> str:
    """Who applied it, and who else let it be applied."""
    others = [each for each in row.approved_by if each != row.by]
    return f"{row.by}, approved by {', '.join(others)}" if others else row.by


def _row(view: View, row: LedgerRow) -> Sequence[str]:
    score = row.score
    notes = () if score is None else score.notes
    return (
        markup.link(row.name, path("twins", row.twin, "applied", row.plan)),
        row.twin,
        view.time(row.applied_at),
        _by(row),
        gain(None if row.promise is None else row.promise.gain),
        gain(None if score is None else score.delivered),
        badge(*_INSIDE[None if score is None else score.inside]),
        badge(row.stage.value, STAGES[row.stage]),
        "; ".join(notes) or row.reason or ("" if score else row.told.partition("; ")[2]),
    )
