"""The cycles of a twin's signals: what runs, who set it, and what plans would make of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from gemeos.act.undertaking import Undertaking
from gemeos.errors import GemeosError, UnknownNameError
from gemeos.schema.intervention import Hold, Ramp, changes
from gemeos.schema.plan import Plan
from gemeos.schema.scene import Cycle, Shows, Signal
from gemeos.schema.variable import number_of
from gemeos.serve import chart_cycle, markup
from gemeos.serve.markup import Html, few, path, table
from gemeos.serve.scene_now import SAME, Now, now_of, scene_of
from gemeos.serve.view import Page, View, waits

MOST_SIGNALS: Final = 12
"""Whose cycles are drawn on one page."""
MOST_LISTED: Final = 200
MOST_READ: Final = 10
"""Newest plans that are looked at for such as wait or are under way."""
MOST_BESIDE: Final = 3
"""Plans that are drawn beside what is in force."""


def page(view: View, twin: str) -> Page:
    """The cycles of its signals, with those of plans that wait or are carried out beside them.

    Raises:
        UnknownNameError: no such twin or signal, or it has none.
    """
    now = now_of(view, twin, scene_of(view, twin))
    known = {signal.name: signal for signal in now.scene.signals}
    if view.on is not None and view.on not in known:
        raise UnknownNameError("signal", view.on, list(known), where=twin)
    wanted = list(known.values())[:MOST_SIGNALS] if view.on is None else [known[view.on]]
    plans = list(_plans(view, twin))
    intro = (
        "Seconds into the cycle; rows are groups of lights that always show the same. This page "
        "sends nothing."
    )
    rest = (
        markup.joined((f"{len(wanted)} of {len(known)} signals are drawn. ", listed(view, now)))
        if len(known) > len(wanted)
        else ""
    )
    body = (
        Html(
            f"<article><h1>Signals of {markup.html(twin)}</h1>{markup.paragraph(intro)}</article>"
        ),
        *(
            markup.section(
                f"Signal {each.name}", _signal(view, now, each, plans, place), name=f"at-{place}"
            )
            for place, each in enumerate(wanted)
        ),
        markup.section("All signals", rest, name="all") if rest else "",
    )
    return Page(f"signals of {twin}", markup.joined(body), ((twin, path("twins", twin)),))


def of_plan(view: View, plan: Plan) -> Html:
    """What a plan makes of the signals that it sets; nothing where it sets none."""
    scene = view.host.twin(plan.twin).scene
    if scene is None:
        return Html("")
    moved = [s for s in scene.signals if set(s.controls) & set(plan.changes)]
    if not moved:
        return Html("")
    now = now_of(view, plan.twin, scene)
    one = [(plan, view.host.applying.undertakings.of(plan.id))]
    shown = [
        markup.joined(
            (
                Html(f"<h3>Signal {markup.html(signal.name)}</h3>"),
                _signal(view, now, signal, one, place),
            )
        )
        for place, signal in enumerate(moved[:MOST_SIGNALS])
    ]
    further = len(moved) - MOST_SIGNALS
    if further > 0:
        shown.append(markup.paragraph(f"and {further} more signals"))
    return markup.section("Signal plans", markup.joined(shown), name="signals")


def listed(view: View, now: Now) -> Html:
    """All signals, with who set what they run."""
    rows = []
    for signal in now.scene.signals[:MOST_LISTED]:
        cycle = None if signal.cycle is None else signal.cycle(now.stands(signal))
        at = f"{path('twins', now.twin, 'signals')}?on={markup.path(signal.name)[1:]}"
        rows.append(
            (
                markup.link(signal.name, at),
                "-" if cycle is None else f"{few(cycle.lasts_s)} s",
                "-" if cycle is None else f"{few(cycle.offset_s)} s",
                _set_by(view, now, signal),
            )
        )
    head = ("signal", "cycle", "offset", "set by")
    return table(f"signals of {now.twin}", head, rows, "places")


def _set_by(view: View, now: Now, signal: Signal) -> Html:
    """Whose plan a signal runs, as far as its controller has told."""
    twin, stands, channels = now.twin, now.stands(signal), now.channels
    own = f"its own programme{f' {signal.program}' if signal.program else ''}"
    if not signal.controls:
        return markup.joined((own, ": nothing of it can be set"))
    moved = [control for control, usual in signal.controls.items() if stands[control] != usual]
    if not moved:
        heard = [channels[c].last_at for c in signal.controls if c in channels]
        if not any(at is not None for at in heard):
            return markup.joined((own, ", as is believed: where it stands was never heard"))
        return Html(markup.html(own))
    for each in sorted(
        view.host.applying.undertakings.all(twin), key=lambda u: u.begun_at, reverse=True
    ):
        if _is_of(each, moved, stands):
            at = path("twins", twin, "applied", each.plan)
            plan = markup.link(each.name, at)
            return markup.joined(("plan ", plan, f", applied by {each.actor}"))
    return Html("somebody else than this twin: no plan of it was applied that sets it so")


def _is_of(told_of: Undertaking, moved: Sequence[str], stands: Mapping[str, float]) -> bool:
    """Whether all that is moved stands where the plan sent it."""
    latest = [(control, told_of.latest(control)) for control in moved]
    return all(
        each is not None and abs(each.command.value - stands[control]) <= max(each.tolerance, SAME)
        for control, each in latest
    )


def _plans(view: View, twin: str) -> Iterator[tuple[Plan, Undertaking | None]]:
    """Those that wait for somebody, or are under way; the newest first."""
    for record in view.host.plans.all(twin, MOST_READ)[::-1]:
        undertaking = view.host.applying.undertakings.of(record.plan.id)
        under_way = undertaking is not None and not undertaking.stage.is_over
        if under_way or waits(view, record):
            yield record.plan, undertaking


def _signal(
    view: View,
    now: Now,
    signal: Signal,
    plans: Iterable[tuple[Plan, Undertaking | None]],
    place: int,
) -> Html:
    """One controller: what runs, what plans would make of it, and the same as a table."""
    who = _set_by(view, now, signal)
    if signal.cycle is None:
        return markup.paragraph(signal.told)
    stands = now.stands(signal)
    present = signal.cycle(stands)
    cycles: list[tuple[str, Cycle]] = [("now", present)]
    own = signal.cycle(signal.controls)
    if own != present:
        cycles.append(("its own programme", own))
    unread = []
    for plan, _ in plans:
        if len(cycles) > MOST_BESIDE or not set(signal.controls) & set(plan.changes):
            continue
        wanted = _wanted(view, plan, signal)
        if wanted is None:
            unread.append(f"Plan {plan.name} does not set numbers that stay: it is not drawn.")
        elif (cycle := signal.cycle({**stands, **wanted})) != present:
            cycles.append((f"plan {plan.name}", cycle))
    whole = max(cycle.lasts_s for _, cycle in cycles)
    figures = "".join(
        f"<figure><h4>{markup.html(name)}: {few(cycle.lasts_s)} s, "
        f"offset {few(cycle.offset_s)} s</h4>"
        + chart_cycle.drawn(
            cycle,
            name=f"cycle{place}-{number}",
            title=f"signal {signal.name}, {name}",
            lasts_s=whole,
        )
        + "</figure>"
        for number, (name, cycle) in enumerate(cycles)
    )
    return markup.joined(
        (
            markup.facts((("set by", who), ("to know", signal.told))),
            Html(f"<div class='figures'>{figures}</div>"),
            *(markup.paragraph(each, "note") for each in unread),
            _lights(signal, cycles),
        )
    )


def _wanted(view: View, plan: Plan, signal: Signal) -> dict[str, float] | None:
    """Where a plan puts the controls of a signal in the end; None where that cannot be said."""
    schema = view.host.twin(plan.twin).schema
    found = {}
    try:
        for control, row in changes(plan.changes).items():
            if control not in signal.controls:
                continue
            course = row[-1].course
            if isinstance(course, Hold):
                found[control] = number_of(schema.variable(control), course.value)
            elif isinstance(course, Ramp):
                found[control] = number_of(schema.variable(control), course.end)
            else:
                return None
    except GemeosError:
        return None
    return found


def _lights(signal: Signal, cycles: Sequence[tuple[str, Cycle]]) -> Html:
    """What the figures show, as text."""
    first = cycles[0][1]
    rows = []
    for lights in first.lights:
        greens = [_green(cycle, lights.name) for _, cycle in cycles]
        least = "-" if lights.least_green_s is None else f"{few(lights.least_green_s)} s"
        yellow = sum(s.end_s - s.begin_s for s in lights.stretches if s.shows is Shows.YELLOW)
        rows.append((lights.name, lights.told, least, *greens, f"{few(yellow)} s"))
    head = ("lights", "let pass", "least green", *(f"green {n}" for n, _ in cycles), "yellow")
    return table(f"lights of signal {signal.name}", head, rows, "places")


def _green(cycle: Cycle, name: str) -> str:
    """Of the same lights in another cycle, where they are a group there, too."""
    same = [each for each in cycle.lights if each.name == name]
    return chart_cycle.greens(same[0]) if same else "other groups"
