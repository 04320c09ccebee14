"""The pages of plans: what each promises, who has to approve it, what became of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from gemeos.act.approve import missing
from gemeos.act.guard import against_plan, against_situation
from gemeos.act.undertaking import Issued, Stage, Undertaking
from gemeos.errors import GemeosError
from gemeos.runtime.plan import PLAN, PlanRecord
from gemeos.runtime.reality import seen
from gemeos.schema.command import Command, CommandState
from gemeos.schema.plan import Band, Gain, Plan
from gemeos.serve import markup, page_signals
from gemeos.serve.chart import Chart, Course, drawn
from gemeos.serve.markup import Html, badge, code, few, path, table
from gemeos.serve.view import RENEW_MS, SOON_MS, Page, View, changed, more
from gemeos.units.instant import Instant

MOST_SHOWN: Final = 10
"""Plans of a twin."""
MOST_CHARTS: Final = 4
MOST_COMMANDS: Final = 40
MOST_WATCHED: Final = 12
STAGES: Final = {
    Stage.UNDER_WAY: "calm",
    Stage.KEPT: "good",
    Stage.UNDOING: "warn",
    Stage.UNDONE: "warn",
    Stage.OVERRIDDEN: "warn",
    Stage.STOPPED: "bad",
    Stage.FAILED: "bad",
}
_STATES: Final = {
    CommandState.DECIDED: ("not sent yet", "calm"),
    CommandState.DROPPED: ("dropped", "warn"),
    CommandState.INTENDED: ("sent, no answer yet", "calm"),
    CommandState.ACCEPTED: ("acknowledged", "calm"),
    CommandState.REFUSED: ("refused by the device", "bad"),
    CommandState.SILENT: ("the device is silent", "bad"),
    CommandState.TAKEN: ("taken", "good"),
    CommandState.NOT_TAKEN: ("not taken", "bad"),
    CommandState.OVERRIDDEN: ("overridden", "warn"),
    CommandState.UNDONE: ("undone", "warn"),
}


def several(view: View, twin: str) -> Html:
    """Those of a twin, the newest first."""
    newest = view.host.plans.all(twin, MOST_SHOWN)[::-1]
    rows = [
        (
            markup.link(each.plan.name, path("twins", twin, "plans", each.plan.name)),
            standing(view, each),
            changed(each.plan.changes),
            promised(each.plan),
            "-" if each.plan.best is None else f"{each.plan.best:.0%}",
            until(view, each.plan),
            ", ".join(each.approved_by) or "nobody",
        )
        for each in newest
    ]
    head = ("plan", "stands", "sets", "promised", "P(best)", "to be begun until", "approved by")
    shown = table(f"plans of {twin}", head, rows, "named") if rows else Html("")
    count = view.host.timeline.record_counts(PLAN).get(twin, 0)
    further = more(count, MOST_SHOWN, "plans", path("api", "twins", twin, "plans"))
    return markup.section(
        "Plans",
        markup.joined((shown, further)),
        name="plans",
        none="None yet. A plan is made of a scenario or of what a search advises.",
    )


def standing(view: View, record: PlanRecord) -> Html:
    """How far it is, in a word."""
    plan = record.plan
    undertaking = view.host.applying.undertakings.of(plan.id)
    if undertaking is not None:
        return badge(undertaking.stage.value, STAGES[undertaking.stage])
    if not plan.recommended:
        return badge("refused: not recommended", "warn")
    if view.now >= plan.expires_at:
        return badge("expired", "warn")
    if missing(record.approvals, plan, view.host.twin(plan.twin).conduct):
        return badge("waits for approval", "warn")
    return badge("approved, not applied", "calm")


def gain(told: Gain | None) -> str:
    """With its interval."""
    if told is None:
        return "-"
    unit = f" {told.unit}" if told.unit else ""
    return f"{few(told.mean)}{unit} ({told.share:.0%}: {few(told.low)} to {few(told.high)})"


def promised(plan: Plan) -> str:
    """What one reality gains where that was worked out, else the mean gain."""
    return gain(plan.gain if plan.promise is None else plan.promise.gain)


def until(view: View, plan: Plan) -> Html:
    """The last moment at which it may be begun."""
    return markup.joined((view.time(plan.expires_at), f" ({view.ago(plan.expires_at)})"))


def page(view: View, twin: str, name: str) -> Page:
    """One plan as it is kept.

    Raises:
        UnknownNameError: there is none of that name.
    """
    return _page(view, view.host.plans.record(twin, name))


def applied_page(view: View, twin: str, plan: str) -> Page:
    """One plan as it was applied, whatever became of its name since.

    Raises:
        UnknownNameError: none of that id was applied.
    """
    return _page(view, view.host.applying.ledgers.applied(twin, plan).record)


def _page(view: View, record: PlanRecord) -> Page:
    plan = record.plan
    undertaking = view.host.applying.undertakings.of(plan.id)
    body = (
        Html(
            f"<article><h1>Plan {markup.html(plan.name)} {standing(view, record)}</h1>"
            f"{_what(view, record)}</article>"
        ),
        _decision(view, record) if undertaking is None else _carried(view, undertaking),
        _reasons(plan),
        page_signals.of_plan(view, plan),
        *_charts(view, plan, undertaking),
        _delivered(view, plan),
    )
    is_busy = undertaking is not None and not undertaking.stage.is_over
    return Page(
        f"{plan.name}, plan of {plan.twin}",
        markup.joined(body),
        ((plan.twin, path("twins", plan.twin)),),
        SOON_MS if is_busy else RENEW_MS,
    )


def _what(view: View, record: PlanRecord) -> Html:
    plan = record.plan
    told, price = plan.promise, None if plan.cost is None else plan.cost.price
    approvals = [
        markup.joined((each.actor, f" ({each.role.value}), ", view.time(each.at)))
        for each in record.approvals
    ]
    return markup.facts(
        (
            ("sets", changed(plan.changes, exact=True)),
            (
                "promised",
                ""
                if told is None
                else f"{told.sense} {told.objective}: {gain(told.gain)} within "
                f"{markup.length(told.until)}",
            ),
            ("mean gain", "" if plan.gain is None else f"{plan.gain.of}: {gain(plan.gain)}"),
            (
                "P(best)",
                ""
                if plan.best is None
                else f"{plan.best:.0%} of {plan.finalists or 'the finalists'}",
            ),
            (
                "not shown to be worse",
                "" if plan.rivals is None else f"{plan.rivals} of the other finalists",
            ),
            ("tried", str(plan.candidates)),
            (
                "another finalist may be better",
                plan.loss_told and f"by {plan.loss_told} on average",
            ),
            ("costs", "" if price is None else str(price)),
            ("found by", "" if plan.cost is None else str(plan.cost)),
            ("to be begun until", until(view, plan)),
            (
                "rests on",
                markup.joined((view.time(plan.state_at), f" ({view.ago(plan.state_at)})")),
            ),
            ("made", markup.joined((plan.actor, ", ", view.time(plan.made_at)))),
            ("made from", _made_of(plan)),
            ("approved by", markup.joined(approvals, ", ") or "nobody yet"),
        )
    )


def _made_of(plan: Plan) -> str:
    """With a link where it is a scenario or a search."""
    word, _, name = plan.cause.partition(" ")
    kept = {"scenario": "scenarios", "optimisation": "optimisations"}.get(word)
    if kept is None or not name:
        return plan.cause
    return markup.link(plan.cause, path("twins", plan.twin, kept, name))


def _decision(view: View, record: PlanRecord) -> Html:
    """What speaks against it as far as can be said without its device, and how to decide."""
    plan, host = record.plan, view.host
    conduct = host.twin(plan.twin).conduct
    situation = host.applying.undertakings.situation(plan, {})
    against = [
        *against_plan(plan, record.approvals, conduct, situation),
        *against_situation(plan.twin, conduct, situation),
    ]
    told = (
        markup.paragraph("This speaks against applying it now:") if against else "",
        markup.listed(against),
        ""
        if against
        else markup.paragraph("Nothing is known here that speaks against applying it."),
        markup.paragraph(
            "The guard asks the device, too: limits, rates and interlocks are judged when it is "
            "applied. This page sends nothing."
        ),
        _ways(view, plan),
    )
    return markup.section("Decision", markup.joined(told), name="decision")


def _ways(view: View, plan: Plan) -> Html:
    """The exact words by which it is judged, approved and applied."""
    api = path("api", "twins", plan.twin, "plans", plan.name)
    words = ("apply", plan.name, "--twin", plan.twin)
    dry, really = "{}", '{"dry_run": false}'
    both = '{"dry_run": false, "approve": true}'
    rows = (
        ("try: nothing is sent", view.command(*words), _post(f"{api}/apply", dry), "operator"),
        ("approve", view.command("approve", *words[1:]), _post(f"{api}/approve", dry), "approver"),
        (
            "apply what is approved",
            view.command(*words, "--really"),
            _post(f"{api}/apply", really),
            "operator",
        ),
        (
            "approve and apply",
            view.command(*words, "--approve", "--really"),
            _post(f"{api}/apply", both),
            "approver",
        ),
    )
    head = ("what", "command line", "over HTTP", "takes the role")
    return table(f"ways to decide on {plan.name}", head, rows, "ways")


def _post(at: str, body: str) -> Html:
    return markup.joined((code(f"POST {at}"), " with the body ", code(body)))


def _reasons(plan: Plan) -> str:
    # Of a plan that somebody made by hand nobody recommended anything.
    why = "Recommended" if plan.cause.startswith("optimisation ") else "Because"
    told = (
        *(markup.joined((Html(f"<b>{why}:</b> "), each)) for each in plan.reasons),
        *(markup.joined((Html("<b>Not recommended:</b> "), each)) for each in plan.against),
        *(markup.joined((Html("<b>Not modelled:</b> "), each)) for each in plan.not_modelled),
    )
    return markup.section("Why", markup.listed(told)) if told else ""


def _carried(view: View, told: Undertaking) -> Html:
    """What was sent, what the device said, and whether reality keeps to the forecast."""
    issued = [_issued(view, each) for each in told.issued[:MOST_COMMANDS]]
    head = ("command", "value", "state", "since", "device says", "before", "why")
    # Those that come nearest to being given up first.
    nearest = sorted(range(len(told.watches)), key=lambda place: -told.watches[place].ratio)
    rows = [_watch(view, told, place) for place in nearest[:MOST_WATCHED]]
    unseen = nearest[MOST_WATCHED:]
    watched = ("watched", "compared", "outside", "likelihood ratio", "given up at", "up to")
    further = len(told.issued) - MOST_COMMANDS
    inside = (
        markup.facts(
            (
                ("stage", badge(told.stage.value, STAGES[told.stage])),
                ("reason", told.reason),
                ("applied", markup.joined((told.actor, ", ", view.time(told.begun_at)))),
                ("watched until", _watched_until(view, told)),
            )
        ),
        table(f"commands of {told.name}", head, issued, "commands"),
        markup.paragraph(f"and {further} more commands") if further > 0 else "",
        table(f"watch of {told.name}", watched, rows, "gains") if rows else "",
        markup.paragraph(_unseen([told.watches[place].outside for place in unseen]))
        if unseen
        else "",
        "" if told.stage.is_over else _end(view, told),
    )
    return markup.section("Carried out", markup.joined(inside), name="carried")


def _unseen(outside: Sequence[int]) -> str:
    """What is to be known of those watched that have no row."""
    were = sum(count > 0 for count in outside)
    return (
        f"and {len(outside)} more, none of them nearer to being given up; "
        f"{were or 'none'} of them read outside its band at any time"
    )


def _watched_until(view: View, told: Undertaking) -> str:
    if told.stage.is_over and told.watch_until > view.now:
        return ""  # It came to its end before.
    return markup.joined((view.time(told.watch_until), f" ({view.ago(told.watch_until)})"))


def _end(view: View, told: Undertaking) -> Html:
    words = ("apply", told.name, "--twin", told.twin, "--give-up")
    return markup.paragraph(
        markup.joined(
            (
                "To end it and restore what it moved: ",
                view.command(*words),
                ". To stop everything and restore nothing: ",
                view.command("stop", "--twin", told.twin, "--because", "WHY"),
                ".",
            )
        )
    )


def _issued(view: View, told: Issued) -> Sequence[str]:
    command = told.command
    return (
        f"{command.control}{' (undoing)' if told.is_undo else ''}",
        _in_words(command, command.value),
        badge(*_STATES[told.state]),
        view.time(told.since),
        "-" if told.stands is None else _in_words(command, told.stands),
        _in_words(command, told.before),
        told.why,
    )


def _in_words(command: Command, number: float) -> str:
    is_text = bool(command.choices)
    return command.told(number) if is_text else f"{few(number)} {command.unit}"


def _watch(view: View, told: Undertaking, place: int) -> Sequence[str]:
    watch = told.watches[place]
    return (
        f"{watch.band.variable}, band of {watch.band.share:.0%}",
        str(watch.compared),
        str(watch.outside),
        f"{watch.ratio:.3g}",
        "100",
        "-" if watch.until is None else view.time(watch.until),
    )


def _charts(view: View, plan: Plan, undertaking: Undertaking | None) -> Iterator[Html]:
    """What is expected to be read with it and without, and what was read since it was applied."""
    nothing = {each.variable: each for each in plan.nothing}
    for place, band in enumerate(plan.bands[:MOST_CHARTS]):
        without = nothing.get(band.variable)
        read = _read(view, band, undertaking)
        courses = [_course(band, "with the plan", "one")]
        if without is not None and without.unit == band.unit:
            courses.insert(0, _course(without, "doing nothing", "other"))
        chart = Chart(
            name=f"b{place}",
            title=f"{band.variable}: what {plan.name} expects to be read",
            told=_told(band, without, len(read)),
            unit=band.unit,
            courses=courses,
            since=band.valid_at[0],
            seen=read,
        )
        dots = f" Dots: {len(read)} readings since it was applied." if read else ""
        caption = f"Bands hold {band.share:.0%} of what is expected to be read.{dots}"
        end = Html(
            f"<figure>{drawn(chart)}<figcaption>{markup.html(caption)}</figcaption></figure>"
            f"{markup.paragraph(chart.told)}"
        )
        yield markup.section(markup.of_unit(band.variable, band.unit), end)


def _read(view: View, band: Band, undertaking: Undertaking | None) -> list[tuple[Instant, float]]:
    if undertaking is None:
        return []
    ends = min(view.now, band.valid_at[-1], undertaking.watch_until)
    try:
        read = seen(view.host, undertaking.twin, band, undertaking.begun_at, ends)
        return [(at, value) for at, value in read if at <= ends]
    except GemeosError:
        return []


def _told(band: Band, without: Band | None, read: int) -> str:
    def end(of: Band) -> str:
        return f"{few(of.low[-1])} to {few(of.high[-1])} {of.unit}"

    after = markup.length(band.valid_at[-1] - band.valid_at[0])
    beside = "" if without is None else f", and {end(without)} if nothing is done"
    dots = f" {read} readings are drawn." if read else ""
    return f"After {after} it should read {end(band)} with the plan{beside}.{dots}"


def _course(band: Band, label: str, kind: str) -> Course:
    return Course(
        label,
        kind,
        np.array(band.valid_at, np.int64),
        np.array(band.low, np.float64),
        np.array(band.high, np.float64),
    )


def _delivered(view: View, plan: Plan) -> str:
    """Its row of the ledger."""
    rows = [r for r in view.host.applying.ledgers.of(plan.twin).rows if r.plan == plan.id]
    if not rows:
        return ""
    (row,) = rows
    score = row.score
    word = None if score is None else score.inside
    inside = {None: "not judged", True: "as promised", False: "NOT as promised"}[word]
    told = markup.facts(
        (
            ("promised", gain(None if row.promise is None else row.promise.gain)),
            ("delivered", gain(None if score is None else score.delivered)),
            ("inside", badge(inside, {None: "calm", True: "good", False: "bad"}[word])),
            ("told", row.told),
        )
    )
    return markup.section("Delivered", told)
