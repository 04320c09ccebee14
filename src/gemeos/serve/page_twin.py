"""The page of one twin: what is held to be so, what reads it, what it warns of, what is planned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from gemeos.ensemble.estimate import Estimate
from gemeos.ensemble.marginal import told
from gemeos.ensemble.state import Verdict
from gemeos.errors import AssimilationError
from gemeos.foresee.score import Against
from gemeos.runtime.alert import AlertStanding
from gemeos.runtime.hindcast_record import KIND as HINDCAST
from gemeos.runtime.hindcast_record import HindcastRecord
from gemeos.runtime.trust import ChannelTrust, Trust
from gemeos.schema.schema import Schema
from gemeos.schema.variable import Control, Variable
from gemeos.serve import (
    markup,
    page_course,
    page_ledger,
    page_map,
    page_plans,
    page_scenarios,
    page_searches,
)
from gemeos.serve.markup import Html, badge, length, number, table
from gemeos.serve.view import RENEW_MS, SOON_MS, Page, View, more

MOST_VARIABLES: Final = 12
MOST_CHANNELS: Final = 40
MOST_SCORES: Final = 24
MOST_HINDCASTS: Final = 10
MOST_DOUBTED: Final = 5
_PHASES: Final = {
    "in step": "good",
    "drifting": "warn",
    "catching up": "warn",
    "blind": "bad",
    "stopped": "bad",
}
_ALERTS: Final = (
    "alert",
    "warned",
    "holds now",
    "condition",
    "ahead",
    "chance",
    "warns from",
    "asked",
    "hits",
    "misses",
    "false alarms",
    "median lead",
    "Brier skill",
)


def page(view: View, twin: str) -> Page:
    """Everything of one twin.

    Raises:
        UnknownNameError: there is none of that name.
    """
    view.host.twin(twin)
    trust, schema = view.host.questions.trust(twin), view.host.fleet(twin).schema
    plans = page_plans.several(view, twin)
    scenarios, are_run = page_scenarios.several(view, twin)
    searches, are_searched = page_searches.several(view, twin)
    under_way = view.host.applying.undertakings.under_way(twin)
    body = markup.joined(
        (
            head(view, twin, "h1"),
            page_map.on_twin(view, twin),
            page_course.section(view, twin),
            alerts(view, twin),
            plans,
            page_ledger.of_twin(view, twin),
            searches,
            scenarios,
            _hindcasts(view, twin),
            markup.section("Channels", _channels(trust, schema), name="channels"),
            markup.section(
                "How its forecasts turned out",
                _scores(trust),
                name="forecasts",
                none="It is not held to any.",
            ),
        )
    )
    return Page(twin, body, (), SOON_MS if are_run or are_searched or under_way else RENEW_MS)


def head(view: View, name: str, heading: str) -> Html:
    """How it stands; its name as a heading of that kind."""
    trust = view.host.questions.trust(name)
    phase = trust.phase.value
    age = "no data yet" if trust.age is None else f"data {length(max(trust.age, 0))} old"
    named = markup.html(name) if heading == "h1" else markup.link(name, markup.path("twins", name))
    return Html(
        f"<article><{heading}>{named} {badge(phase, _PHASES.get(phase, 'calm'))}</{heading}>"
        f"<p>{source(trust.source)} {markup.html(age)}, {trust.members} members, "
        f"{trust.assimilated} readings assimilated"
        f"{f', {trust.too_late} came too late' if trust.too_late else ''}"
        f"{f', lost and found again: {trust.recovered}' if trust.recovered else ''}</p>"
        f"{_things(view, name)}{_now(view, name)}{_sound(trust)}</article>"
    )


def source(of: str) -> Html:
    """Whether what is seen is live."""
    return badge(of, "good" if of == "live" else "warn")


def _things(view: View, name: str) -> Html:
    """Where its alerts, plans and scenarios are."""
    standing = view.host.alerts.of(name)
    on = sum(each.is_on for each in standing)
    under_way = len(view.host.applying.undertakings.under_way(name))
    here = markup.path("twins", name)
    scene = view.host.twin(name).scene
    told = (
        ("map" if scene is not None and scene.ground.marks else "", "map"),
        ("past and future", "course"),
        (f"alerts: {on} of {len(standing)} on" if standing else "", "alerts"),
        (f"plans{f': {under_way} under way' if under_way else ''}", "plans"),
        ("ledger", "ledger"),
        ("scenarios", "scenarios"),
        ("searches", "searches"),
        ("channels", "channels"),
        ("forecasts", "forecasts"),
    )
    links = [markup.link(text, f"{here}#{at}") for text, at in told if text]
    if scene is not None and scene.signals:
        links.insert(1, markup.link("signals", f"{here}/signals"))
    return Html(f"<p class='things'>{markup.joined(links, ' ')}</p>")


def _now(view: View, name: str) -> Html:
    try:
        estimate = view.host.questions.now(name)
    except AssimilationError as error:
        return markup.paragraph(str(error), "note")
    twin = view.host.twin(name)
    rows = [_variable(estimate, twin.schema.variable(v)) for v in twin.shown[:MOST_VARIABLES]]
    return table(
        f"{name} now", ("variable", "mean", "± sd", "90 % within", "unit"), rows, "numbers"
    )


def _variable(estimate: Estimate, variable: Variable) -> Sequence[str]:
    marginal = estimate[variable.name]
    if isinstance(variable, Control) and variable.choices:
        text = variable.text(float(marginal.mean[-1]))
        if text is not None and not marginal.sd[-1]:
            return (variable.name, text.text, "", "", "")
    mean, sd, interval = told(marginal, -1)
    return (variable.name, mean, f"± {sd}", interval.replace("..", "to"), marginal.unit)


def _sound(trust: Trust) -> Html:
    """Which of its channels are not to be trusted."""
    if not trust.channels:
        return markup.paragraph("No channel is bound.", "note")
    heard = [each for each in trust.channels if each.last_at is not None]
    silent = len(trust.channels) - len(heard)
    doubted = [each for each in heard if each.verdict is not Verdict.SOUND]
    names = [f"{each.channel} is {each.verdict.name.lower()}" for each in doubted[:MOST_DOUBTED]]
    further = len(doubted) - len(names)
    told = f"{len(heard) - len(doubted)} of {len(heard)} channels that were heard are sound"
    if silent:
        were = "was" if silent == 1 else "were"
        told = f"{silent} of {len(trust.channels)} channels {were} never heard; {told}"
    if not doubted:
        return markup.paragraph(f"{told}.")
    rest = f" and {further} more are not" if further else ""
    return markup.paragraph(f"{told}: {', '.join(names)}{rest}.", "note")


def _channels(trust: Trust, schema: Schema) -> Html:
    if not trust.channels:
        return markup.paragraph("No channel is bound.", "note")
    rows = [_channel(c, trust, schema) for c in trust.channels[:MOST_CHANNELS]]
    head = (
        "channel",
        "variable",
        "verdict",
        "last",
        "unit",
        "age",
        "readings",
        "innovation",
        "surprise",
    )
    further = len(trust.channels) - MOST_CHANNELS
    after = markup.paragraph(f"and {further} more channels") if further > 0 else ""
    return markup.joined((table(f"channels of {trust.twin}", head, rows, "channels"), after))


def _channel(channel: ChannelTrust, trust: Trust, schema: Schema) -> Sequence[str]:
    return (
        channel.channel,
        channel.variable,
        "-" if channel.last_at is None else channel.verdict.name.lower(),
        number(channel.last_value),
        schema.variable(channel.variable).unit,
        "never heard" if channel.last_at is None else length(max(trust.now - channel.last_at, 0)),
        str(channel.readings),
        number(channel.innovation, 2),
        number(channel.surprise, 2),
    )


def _scores(trust: Trust) -> str:
    """How its forecasts turned out; nothing where it is not held to any."""
    rows = [
        (
            score.variable,
            length(score.lead),
            f"{score.crps:.3g}",
            score.unit,
            _skill(score.persistence),
            _skill(score.before.persistence),
            "-" if score.climatology is None else _skill(score.climatology),
            f"{100 * score.coverage[2]:.0f} %",
            str(score.count),
        )
        for score in trust.scores[:MOST_SCORES]
    ]
    head = (
        "forecast of",
        "ahead",
        "CRPS",
        "unit",
        "skill against persistence",
        "the model alone",
        "against climatology",
        "within 90 %",
        "forecasts",
    )
    return table(f"forecasts of {trust.twin}", head, rows, "scores") if rows else ""


def _skill(against: Against) -> str:
    if against.skill is None:
        return "-"
    if against.low is None or against.high is None:
        return f"{against.skill:.2f}"
    return f"{against.skill:.2f} ({against.low:.2f} to {against.high:.2f})"


def alerts(view: View, twin: str) -> Html:
    """What it watches for, and how each alert has done so far."""
    rows = [_alert(each) for each in view.host.alerts.of(twin)]
    shown = table(f"alerts of {twin}", _ALERTS, rows, "alerts") if rows else Html("")
    return markup.section(
        "Alerts",
        shown,
        name="alerts",
        none="None is declared. [twin.NAME.watch.ALERT] in site.toml declares one.",
    )


def _alert(told_of: AlertStanding) -> Sequence[str]:
    return (
        told_of.name,
        badge("on", "bad") if told_of.is_on else badge("off", "calm"),
        "yes" if told_of.is_so else "no",
        told_of.condition,
        length(told_of.within),
        "not asked yet" if told_of.chance is None else f"{told_of.chance:.0%}",
        f"{told_of.likely:.0%}",
        str(told_of.issues),
        str(told_of.hits),
        str(told_of.misses),
        str(told_of.false_alarms),
        "-" if told_of.median_lead is None else length(told_of.median_lead),
        "-" if told_of.brier_skill is None else f"{told_of.brier_skill:+.2f}",
    )


def _hindcasts(view: View, twin: str) -> str:
    """What it would have warned of, or advised; nothing where nobody asked."""
    count = view.host.timeline.record_counts(HINDCAST).get(twin, 0)
    if not count:
        return ""
    newest = view.host.hindcasts.all(twin, MOST_HINDCASTS)[::-1]
    rows = [_hindcast(view, each) for each in newest]
    head = ("hindcast", "state", "of", "until", "hits", "misses", "false alarms", "median lead")
    shown = table(f"hindcasts of {twin}", head, rows, "alerts")
    api = markup.path("api", "twins", twin, "hindcasts")
    further = more(count, MOST_HINDCASTS, "hindcasts", api)
    return markup.section("Hindcasts", markup.joined((shown, further)), name="hindcasts")


def _hindcast(view: View, told_of: HindcastRecord) -> Sequence[str]:
    leads = sorted(told_of.leads)
    if told_of.advice is not None:
        asked = f"advice on {', '.join(told_of.advice.over)}"
        return (
            told_of.name,
            told_of.progress.value,
            markup.joined([asked, ", from ", view.time(told_of.since)]),
            view.time(told_of.until),
            *("-",) * 4,
        )
    return (
        told_of.name,
        told_of.progress.value,
        markup.joined([told_of.condition, ", from ", view.time(told_of.since)]),
        view.time(told_of.until),
        str(told_of.hits),
        str(told_of.misses),
        str(told_of.false_alarms),
        length(leads[len(leads) // 2]) if leads else "-",
    )
