"""The pages of scenarios: each beside doing nothing, as charts and in numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final
from urllib.parse import quote

import numpy as np

from gemeos.ensemble.compare import Comparison, compare
from gemeos.ensemble.marginal import Marginal
from gemeos.errors import GemeosError
from gemeos.runtime.scenario import KIND, ScenarioRecord
from gemeos.schema.schema import Schema
from gemeos.schema.variable import Control, Sensor, State, Virtual
from gemeos.serve import markup
from gemeos.serve.chart import Chart, Course, drawn
from gemeos.serve.markup import Html, few, length, path, table
from gemeos.serve.view import RENEW_MS, SOON_MS, Page, View, changed, more, progress, within

MOST_SHOWN: Final = 10
"""Of a twin."""
MOST_COMPARED: Final = 2
"""Variables that are drawn at once."""
MOST_TABLED: Final = 60
"""Variables that are told in numbers."""
INSTANTS: Final = 5
"""Of the table beside a chart."""
WAIT_S: Final = 0.02
"""For an answer that is made again: who asks is told to ask again, and the page asks by itself."""


def several(view: View, twin: str) -> tuple[Html, bool]:
    """Those of a twin, the newest first, and whether one is under way."""
    newest = view.host.scenarios.all(twin, MOST_SHOWN)[::-1]
    rows = [
        (
            markup.link(each.name, path("twins", twin, "scenarios", each.name)),
            progress(view, each),
            changed(each.changes),
            view.time(each.forked_at),
            length(each.until),
            f"{each.ran} of {each.members}",
            each.actor,
        )
        for each in newest
    ]
    head = ("scenario", "state", "changes", "from", "ahead", "members", "by")
    shown = table(f"scenarios of {twin}", head, rows, "named") if rows else Html("")
    count = view.host.timeline.record_counts(KIND).get(twin, 0)
    further = more(count, MOST_SHOWN, "scenarios", path("api", "twins", twin, "scenarios"))
    listed = markup.section(
        "Scenarios",
        markup.joined((shown, further)),
        name="scenarios",
        none=markup.joined(
            ("None yet. Ask what if: ", view.command("scenario", twin, "NAME=CHANGE"))
        ),
    )
    return listed, any(not each.progress.is_over for each in newest)


def page(view: View, twin: str, name: str) -> Page:
    """One scenario beside doing nothing.

    Raises:
        UnknownNameError: there is none of that name, or no such variable.
    """
    record = view.host.scenarios.record(twin, name)
    told = markup.facts(
        (
            ("changes", changed(record.changes, exact=True) if record.changes else "nothing"),
            ("from", markup.joined((view.time(record.forked_at), f", {length(record.until)} on"))),
            ("known then", view.time(record.known_at)),
            (
                "members",
                f"{record.ran} of {record.members}"
                + (f", left out: {record.missing}" if record.missing else ""),
            ),
            ("asked by", markup.joined((record.actor, ", ", view.time(record.created)))),
            ("took", length(record.took) if record.took else ""),
            ("reason", record.reason),
        )
    )
    head = Html(
        f"<article><h1>Scenario {markup.html(name)} {progress(view, record)}</h1>{told}</article>"
    )
    is_over = record.progress.is_over
    body = [head]
    if is_over:
        body += [*_compared(view, record), _next(view, record)]
    else:
        body.append(markup.paragraph("It is compared with doing nothing when it is through."))
    return Page(
        f"{name}, scenario of {twin}",
        markup.joined(body),
        ((twin, path("twins", twin)),),
        RENEW_MS if is_over else SOON_MS,
    )


def _next(view: View, record: ScenarioRecord) -> Html:
    """How it becomes a plan; nothing where it changes what is not ours to set."""
    schema = view.host.fleet(record.twin).schema
    parts = {part.name for part in schema.parts}
    ours = [n for n in record.changes if n not in parts and _is_control(schema, n)]
    if not ours or len(ours) < len(record.changes):
        return Html("")
    api = path("api", "twins", record.twin, "scenarios", record.name, "plan")
    told = markup.joined(
        (
            "A scenario sends nothing. It becomes a plan by ",
            view.command("plan", "--twin", record.twin, "--scenario", record.name),
            ", or over HTTP by ",
            markup.code(f"POST {api}"),
            " with the body ",
            markup.code("{}"),
            ".",
        )
    )
    return markup.section("From here", markup.paragraph(told))


def _is_control(schema: Schema, name: str) -> bool:
    return isinstance(schema.variable(name), Control)


def _compared(view: View, record: ScenarioRecord) -> Iterator[Html]:
    """What it moves, the first of it drawn, all in numbers; and what it does not move."""
    schema, scenarios = view.host.fleet(record.twin).schema, view.host.scenarios
    if view.on is not None:
        schema.variable(view.on)
    shown = [
        name
        for name in view.host.twin(record.twin).shown
        if isinstance(schema.variable(name), State | Sensor | Virtual)
    ]
    first = view.on or next(iter(shown), None)
    if first is None:
        return
    try:
        told = scenarios.compare(record.twin, record.name, on=first, wait_s=WAIT_S)
        # All variables are of the same two forks: none has to be made, or fetched, again.
        every = {n: compare(told.before, told.after, on=n) for n in shown[:MOST_TABLED]}
    except GemeosError as error:
        yield markup.section("Compared", markup.paragraph(str(error), "note"))
        return
    moved = {name: each for name, each in every.items() if each.difference.members.any()}
    # In the order in which the twin shows them: what tells most comes first there.
    first_moved = list((moved or every).values())[:MOST_COMPARED]
    for place, each in enumerate([told] if view.on else first_moved):
        yield _beside_nothing(record, each, f"c{place}")
    yield _at_the_end(record, moved, [name for name in every if name not in moved])
    if len(shown) > MOST_TABLED:
        api = path("api", "twins", record.twin, "scenarios", record.name, "estimate")
        told_of = f"{len(shown) - MOST_TABLED} more variables are told only by "
        yield markup.paragraph(markup.joined((told_of, markup.link(api, api), ".")))


def _at_the_end(
    record: ScenarioRecord, moved: Mapping[str, Comparison], unmoved: Sequence[str]
) -> Html:
    """Each variable that is moved in a line, with a link to its chart; the others by name."""
    here = path("twins", record.twin, "scenarios", record.name)
    rows = []
    for name, told in moved.items():
        before, after = (_at(e[name], told.difference) for e in (told.before, told.after))
        rows.append(
            (
                markup.link(name, _drawn_at(here, name)),
                *within(before, -1),
                within(after, -1)[0],
                *within(told.difference, -1),
                told.difference.unit,
            )
        )
    head = (
        "moved",
        "doing nothing",
        "90 % of it within",
        record.name,
        "difference",
        "90 % of differences within",
        "unit",
    )
    links = [markup.link(name, _drawn_at(here, name)) for name in unmoved]
    said = markup.joined(
        (f"Not moved in any member ({len(unmoved)}): ", markup.joined(links, ", "))
    )
    inside = (
        table(f"{record.name} at the end", head, rows, "ends") if rows else "",
        markup.paragraph(said) if links else "",
    )
    return markup.section("At the end", markup.joined(inside), name="all")


def _drawn_at(here: str, name: str) -> str:
    return f"{here}?on={quote(name, safe='')}"


def _beside_nothing(record: ScenarioRecord, told: Comparison, name: str) -> Html:
    variable, unit = told.difference.name, told.difference.unit
    of = f" {unit}" if unit else ""
    times = told.difference.times
    both = [_at(each[variable], told.difference) for each in (told.before, told.after)]
    at_end = within(told.difference, -1)
    end = length(int(times[-1]) - record.forked_at)
    beside = Chart(
        name=f"{name}-both",
        title=f"{variable}: {record.name} beside doing nothing",
        told=f"After {end}: doing nothing {_spoken(both[0], -1)}, "
        f"{record.name} {_spoken(both[1], -1)}{of}. The table tells more instants.",
        unit=unit,
        courses=(_course(both[0], "doing nothing", "other"), _course(both[1], record.name, "one")),
        since=record.forked_at,
    )
    apart = Chart(
        name=f"{name}-apart",
        title=f"{variable}: the difference, member by member",
        told=f"After {end}: {at_end[0]}{of}, 90 % within {at_end[1]}.",
        unit=unit,
        courses=(_course(told.difference, "difference", "one"),),
        since=record.forked_at,
        zero=True,
    )
    rows = [
        (
            f"+{length(int(times[place]) - record.forked_at)}",
            *within(both[0], place),
            *within(both[1], place),
            *within(told.difference, place),
        )
        for place in _places(len(times))
    ]
    head = (
        "after",
        "doing nothing",
        "90 % of it within",
        record.name,
        "90 % within",
        "difference",
        "90 % of differences within",
    )
    captions = (
        f"Bands hold 90 %: {told.difference.members.shape[1]} members each.",
        f"The paired difference on average: {_on_average(told)}{of} at the end.",
    )
    figures = "".join(
        f"<figure>{drawn(chart)}<figcaption>{markup.html(caption)}</figcaption></figure>"
        for chart, caption in zip((beside, apart), captions, strict=True)
    )
    shown = Html(
        f"<div class='figures'>{figures}</div>"
        f"{table(markup.of_unit(variable, unit), head, rows, 'numbers compared')}"
    )
    return markup.section(markup.of_unit(variable, unit), shown)


def _at(marginal: Marginal, difference: Marginal) -> Marginal:
    """At the instants of the difference, which are those that both have."""
    kept = np.isin(marginal.times, difference.times)
    return Marginal(marginal.name, marginal.unit, difference.times, marginal.members[kept])


def _spoken(marginal: Marginal, place: int) -> str:
    mean, interval = within(marginal, place)
    return f"{mean}, 90 % within {interval}"


def _on_average(told: Comparison) -> str:
    low, high = told.mean_interval()
    return (
        f"{few(float(told.mean[-1]))} (95 % within {few(float(low[-1]))} to {few(float(high[-1]))})"
    )


def _places(count: int) -> list[int]:
    """Some of so many instants, evenly, the last one among them."""
    return sorted({round((part + 1) * count / INSTANTS) - 1 for part in range(INSTANTS)} - {-1})


def _course(marginal: Marginal, label: str, kind: str) -> Course:
    low, high = marginal.interval(0.9)
    return Course(label, kind, marginal.times, low, high, np.asarray(marginal.mean))
