"""The map of a twin: what it holds at each place that reads, with its doubt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from gemeos.ensemble.marginal import told
from gemeos.ensemble.state import Verdict
from gemeos.schema.scene import Mark, Scene
from gemeos.serve import chart_map, markup, page_signals
from gemeos.serve.chart_map import Held
from gemeos.serve.markup import Html, length, path, table
from gemeos.serve.scene_now import Now, now_of, scene_of
from gemeos.serve.view import Page, View

MOST_MARKS: Final = 200
SILENT: Final = 5
"""A detector is silent that has not been heard for so many of its usual intervals."""


def on_twin(view: View, twin: str) -> Html:
    """The maps, for the page of the twin; nothing where it has none."""
    scene = view.host.twin(twin).scene
    if scene is None or not scene.ground.marks:
        return Html("")
    here = path("twins", twin)
    links = [markup.link("the map as a table", f"{here}/map")]
    if scene.signals:
        links.append(markup.link(_signals_told(scene), f"{here}/signals"))
    inside = (_maps(view, now_of(view, twin, scene)), Html("<p class='things'>"), *links)
    return markup.section("Map", Html(f"{markup.joined(inside)}</p>"), name="map")


def page(view: View, twin: str) -> Page:
    """The maps, and all that is on them as text.

    Raises:
        UnknownNameError: no such twin, or nothing of it is to be drawn.
    """
    now = now_of(view, twin, scene_of(view, twin))
    marks = now.scene.ground.marks
    rows = [_mark(view, now, mark) for mark in marks[:MOST_MARKS]]
    quantities = _quantities(now.scene)
    head = ("detector", "where", *(f"{q} held, 90 % within" for q in quantities), "last heard")
    detectors = table(f"detectors of {twin}", head, rows, "places") if rows else ""
    further = len(marks) - MOST_MARKS
    signals = now.scene.signals
    body = (
        Html(f"<article><h1>Map of {markup.html(twin)}</h1>{_maps(view, now)}</article>"),
        markup.section(
            "Detectors",
            markup.joined(
                (
                    detectors,
                    markup.paragraph(f"and {further} more detectors") if further > 0 else "",
                )
            ),
            name="detectors",
        ),
        markup.section("Signals", page_signals.listed(view, now), name="signals")
        if signals
        else "",
    )
    return Page(f"map of {twin}", markup.joined(body), ((twin, path("twins", twin)),))


def _signals_told(scene: Scene) -> str:
    count = len(scene.signals)
    return "the plan of its signal" if count == 1 else f"plans of its {count} signals"


def _quantities(scene: Scene) -> list[str]:
    return list(dict.fromkeys(q for mark in scene.ground.marks for q in mark.reads))


def _maps(view: View, now: Now) -> Html:
    """One for each quantity that is read."""
    ground, schema = now.scene.ground, view.host.twin(now.twin).schema
    figures = []
    for place, quantity in enumerate(_quantities(now.scene)):
        held = {
            mark.name: _held(view, now, mark, quantity)
            for mark in ground.marks
            if quantity in mark.reads
        }
        unit = next(schema.variable(m.reads[quantity]).unit for m in ground.marks if m.name in held)
        silent = sum(each.is_silent for each in held.values())
        words = _spoken(held, quantity, unit, silent)
        drawn = chart_map.drawn(
            ground, held, name=f"map{place}", title=f"{now.twin}: {quantity}", told=words, unit=unit
        )
        heading = markup.html(markup.of_unit(quantity, unit))
        caption = f"{words} Roads themselves have no value: it is held where detectors are."
        figures.append(
            f"<figure><h3>{heading}</h3>{drawn}<figcaption>{markup.html(caption)}</figcaption>"
            "</figure>"
        )
    notes = [ground.attribution.rstrip(".") + "." if ground.attribution else ""]
    if ground.left_out:
        notes.append(
            f"Of {len(ground.roads) + ground.left_out} roads the {len(ground.roads)} longest are "
            "drawn."
        )
    said = " ".join(filter(None, notes))
    return Html(
        f"<div class='figures maps'>{''.join(figures)}</div>"
        f"{markup.paragraph(said) if said else ''}"
    )


def _spoken(held: Mapping[str, Held], quantity: str, unit: str, silent: int) -> str:
    told_of = f" {silent} of {len(held)} detectors are silent." if silent else ""
    known = {name: each for name, each in held.items() if not each.is_silent}
    if not known:
        return f"Nothing is held yet.{told_of}" if not silent else told_of.strip()
    of = f" {unit}" if unit else ""
    least, most = (choose(known, key=lambda n: known[n].middle) for choose in (min, max))
    return (
        f"{quantity[:1].upper()}{quantity[1:]}, from {known[least].middle:.3g}{of} at {least} to "
        f"{known[most].middle:.3g}{of} at {most}.{told_of}"
    )


def _held(view: View, now: Now, mark: Mark, quantity: str) -> Held:
    silent = _is_silent(view, now, mark)
    if now.estimate is None:
        return Held(0.0, 0.0, 0.0, "nothing is held yet", is_silent=True)
    marginal = now.estimate[mark.reads[quantity]]
    low, high = (float(end[-1]) for end in marginal.interval(0.9))
    return Held(low, float(marginal.mean[-1]), high, _in_words(now, mark, quantity), silent)


def _in_words(now: Now, mark: Mark, quantity: str) -> str:
    if quantity not in mark.reads:
        return "-"
    if now.estimate is None:
        return "nothing yet"
    marginal = now.estimate[mark.reads[quantity]]
    mean, _, interval = told(marginal, -1)
    unit = f" {marginal.unit}" if marginal.unit else ""
    return f"{mean}, {interval.replace('..', 'to')}{unit}"


def _is_silent(view: View, now: Now, mark: Mark) -> bool:
    """Whether nothing at all has been heard from there for long."""
    heard = [now.channels[v] for v in mark.reads.values() if v in now.channels]
    return not any(
        each.last_at is not None
        and (each.usual_interval is None or view.now - each.last_at <= SILENT * each.usual_interval)
        for each in heard
    )


def _mark(view: View, now: Now, mark: Mark) -> Sequence[str]:
    channels = [now.channels[v] for v in mark.reads.values() if v in now.channels]
    last = max((c.last_at for c in channels if c.last_at is not None), default=None)
    doubted = [c.verdict for c in channels if c.verdict is not Verdict.SOUND]
    if last is None:
        heard = "never"
    else:
        heard = f"{length(max(view.now - last, 0))} ago"
        if _is_silent(view, now, mark):
            heard = f"silent: {heard}"
    if doubted:
        heard = f"{heard}; {', '.join(v.name.lower() for v in doubted)}"
    values = (_in_words(now, mark, quantity) for quantity in _quantities(now.scene))
    return (mark.name, mark.road, *values, heard)
