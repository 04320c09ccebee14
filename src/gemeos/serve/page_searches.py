"""The pages of searches for a plan: what was wanted, what each comes to, and how sure that is."""

from __future__ import annotations

from typing import Final

from gemeos.foresee.verdict import Advice
from gemeos.runtime.optimisation import KIND, GainTold, OptimisationRecord
from gemeos.runtime.plan import PLAN
from gemeos.serve import markup
from gemeos.serve.markup import Html, badge, few, length, path, table
from gemeos.serve.view import RENEW_MS, SOON_MS, Page, View, changed, more, progress

MOST_SHOWN: Final = 10
"""Of a twin."""
MOST_FINALISTS: Final = 12
_ADVICE: Final = {
    Advice.CHANGE: ("recommended", "good"),
    Advice.KEEP: ("keep the present plan", "calm"),
    Advice.NOTHING: ("refused: do nothing", "warn"),
}


def several(view: View, twin: str) -> tuple[Html, bool]:
    """Those of a twin, the newest first, and whether one is under way."""
    newest = view.host.optimisations.all(twin, MOST_SHOWN)[::-1]
    rows = [
        (
            markup.link(each.name, path("twins", twin, "optimisations", each.name)),
            progress(view, each) if each.advice is None else _advice(each),
            changed(each.winner or {}),
            _gain(each.gains[0]) if each.gains else "-",
            _best(each),
            _latest(view, each),
            view.time(each.created),
        )
        for each in newest
    ]
    head = ("search", "advice", "plan", "gain", "P(best)", "latest useful moment", "asked")
    shown = table(f"searches of {twin}", head, rows, "named") if rows else Html("")
    count = view.host.timeline.record_counts(KIND).get(twin, 0)
    further = more(count, MOST_SHOWN, "searches", path("api", "twins", twin, "optimisations"))
    listed = markup.section(
        "Searches for a plan",
        markup.joined((shown, further)),
        name="searches",
        none=markup.joined(
            (
                "None yet. Search for one: ",
                view.command("optimise", twin, "CONTROL=CHOICE", "--minimise", "OBJECTIVE"),
            )
        ),
    )
    return listed, any(not each.progress.is_over for each in newest)


def page(view: View, twin: str, name: str) -> Page:
    """One search: what was wanted, what it comes to, what was tried.

    Raises:
        UnknownNameError: there is none of that name.
    """
    record = view.host.optimisations.record(twin, name)
    is_over = record.progress.is_over
    word = progress(view, record) if record.advice is None else _advice(record)
    body = (
        Html(
            f"<article><h1>Search {markup.html(name)} {word}</h1>{_verdict(view, record)}</article>"
        ),
        _gains(record),
        _finalists(view, record),
        markup.section("What was asked", _asked(view, record)),
        _next(view, record),
    )
    return Page(
        f"{name}, search of {twin}",
        markup.joined(body),
        ((twin, path("twins", twin)),),
        RENEW_MS if is_over else SOON_MS,
    )


def _verdict(view: View, record: OptimisationRecord) -> Html:
    return markup.joined(
        (
            markup.facts(
                (
                    ("plan", changed(record.winner) if record.winner else ""),
                    ("gain", _gain(record.gains[0]) if record.gains else ""),
                    (
                        "P(best)",
                        f"{_best(record)} finalist{'s' if len(record.chances) > 1 else ''}"
                        if record.chances
                        else "",
                    ),
                    ("not shown to be worse", _rivals(record)),
                    ("another may be better", _loss(record)),
                    (
                        "latest useful moment",
                        _latest(view, record) if record.latest is not None else "",
                    ),
                    ("costs", "" if record.price is None else str(record.price)),
                    ("failed", record.reason),
                )
            ),
            markup.listed(record.reasons),
            markup.listed(f"Not modelled: {each}" for each in record.unmodelled),
        )
    )


def _gains(record: OptimisationRecord) -> str:
    rows = [
        (
            gain.objective,
            beside,
            few(gain.winner),
            few(gain.nothing),
            few(gain.gain),
            "-" if gain.low is None else f"{few(gain.low)} to {few(gain.high)}",
            gain.unit,
            str(gain.members),
        )
        for beside, gains in (
            ("doing nothing", record.gains),
            (f"the present plan, {record.present}", record.over_present),
        )
        for gain in gains
    ]
    if not rows:
        return ""
    head = (
        "objective",
        "beside",
        "with it",
        "without",
        "gain",
        "interval",
        "unit",
        "fresh members",
    )
    told = markup.paragraph("On members that the search never saw, paired.")
    return markup.section(
        "Gain", markup.joined((told, table(f"gain of {record.name}", head, rows, "gains")))
    )


def _finalists(view: View, record: OptimisationRecord) -> str:
    if not record.finalists:
        return ""
    names = list(record.finalists[0])
    chances = [*record.chances, *(0.0 for _ in record.finalists[len(record.chances) :])]
    rows = [
        (f"{place + 1}", f"{chance:.0%}", *(_value(each.get(name)) for name in names))
        for place, (each, chance) in enumerate(zip(record.finalists, chances, strict=False))
    ][:MOST_FINALISTS]
    said = markup.paragraph(
        f"Of {record.tried} candidates in {record.ran} runs of {record.method}, "
        f"{len(record.finalists)} came to the check."
    )
    schema = view.host.twin(record.twin).schema
    known = {v.name: v.unit for v in schema.variables}
    heads = (markup.of_unit(name, known.get(name, "")) for name in names)
    shown = table(f"finalists of {record.name}", ("finalist", "P(best)", *heads), rows, "gains")
    return markup.section("Finalists", markup.joined((said, shown)))


def _value(told: float | str | None) -> str:
    return told if isinstance(told, str) else few(told)


def _asked(view: View, record: OptimisationRecord) -> Html:
    several = Html("<br>")
    in_force = {name: _value(value) for name, value in record.in_force.items()}
    heard = record.heard_ago
    return markup.facts(
        (
            ("over", changed(record.over)),
            ("minimise", markup.joined(record.minimise, several)),
            ("maximise", markup.joined(record.maximise, several)),
            ("subject to", markup.joined(record.subject_to, several)),
            ("until", length(record.until)),
            ("budget", record.budget),
            ("present plan", record.present),
            ("which sets", changed(in_force) if in_force else ""),
            ("from", view.time(record.forked_at)),
            ("state was", f"{length(record.age)} old when it was asked"),
            ("newest reading", "" if heard is None else f"{length(heard)} old"),
            ("asked by", markup.joined((record.actor, ", ", view.time(record.created)))),
        )
    )


def _next(view: View, record: OptimisationRecord) -> str:
    """How it becomes a plan, or the plan that it became."""
    if record.winner is None or not record.progress.is_over:
        return ""
    twin, name = record.twin, record.name
    made = view.host.timeline.record(PLAN, twin, name)
    if made is None:
        told = markup.joined(
            (
                "A search sends nothing. It becomes a plan by ",
                view.command("plan", "--twin", twin, "--optimisation", name),
                ", or over HTTP by ",
                markup.code(f"POST {path('api', 'twins', twin, 'optimisations', name, 'plan')}"),
                " with the body ",
                markup.code("{}"),
                ".",
            )
        )
    else:
        to = path("twins", twin, "plans", name)
        told = markup.joined(("A plan was kept under its name: ", markup.link(name, to), "."))
    return markup.section("From here", markup.paragraph(told))


def _advice(record: OptimisationRecord) -> Html:
    assert record.advice is not None  # noqa: S101  asked for only where there is one
    return badge(*_ADVICE[record.advice])


def _gain(gain: GainTold) -> str:
    if gain.gain is None:
        return "cannot be told"
    unit = f" {gain.unit}" if gain.unit else ""
    return f"{few(gain.gain)}{unit} ({few(gain.low)} to {few(gain.high)})"


def _best(record: OptimisationRecord) -> str:
    return f"{record.chances[0]:.0%} of {len(record.chances)}" if record.chances else "-"


def _rivals(record: OptimisationRecord) -> str:
    return "" if record.rivals is None else f"{record.rivals} of the other finalists"


def _loss(record: OptimisationRecord) -> str:
    told = record.loss_told
    return f"by {told} on average" if told else ""


def _latest(view: View, record: OptimisationRecord) -> str:
    if record.latest is None:
        return "-"
    return markup.joined((view.time(record.latest), f" ({view.ago(record.latest)})"))
