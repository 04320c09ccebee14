"""Maps as SVG: roads, what the twin holds at each detector with its doubt, and signals.

Values are drawn where they are held, and nowhere else: roads have no colour of their own. Each
value is a disc up to the low end of its interval, and a ring at the high end; how far the ring is
from the disc is the doubt. Nothing is told by colour alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import product
from typing import Final, TypeAlias

from gemeos.schema.scene import Ground, Place
from gemeos.serve.chart import ticks
from gemeos.serve.markup import Html, few

WIDTH: Final = 480
HIGHEST: Final = 480
LOWEST: Final = 120
_EDGE: Final = 20.0
_KEY: Final = 62.0
"""Height of what is told below the map."""
LARGEST_DISC: Final = 10.0
SMALLEST_DISC: Final = 4.0
DISCS: Final = 40
"""So many have room for the largest; of more all are smaller."""
LONGEST_NAME: Final = 12
NAMES_FAR: Final = (0, 12, 24, 36, 52)
"""How far from a signal its name may stand; beyond the first a line leads to it."""
_Box: TypeAlias = tuple[float, float, float, float]
"""Left, upper, right and lower edge."""


@dataclass(frozen=True, slots=True)
class Held:
    """What is held at one mark."""

    low: float
    middle: float
    high: float
    told: str
    """All of it in words."""
    is_silent: bool = False
    """Whether nothing that was read stands behind it."""


@dataclass(frozen=True, slots=True)
class _Scale:
    """From metres to places in the picture."""

    west: float
    north: float
    factor: float
    left: float
    height: float

    def at(self, place: Place) -> tuple[float, float]:
        return (
            self.left + (place[0] - self.west) * self.factor,
            _EDGE + (self.north - place[1]) * self.factor,
        )


def drawn(
    ground: Ground, held: Mapping[str, Held], *, name: str, title: str, told: str, unit: str
) -> Html:
    """The map as an ``svg`` element.

    Args:
        ground: What is drawn.
        held: By mark; those that are left out are not drawn.
        name: Unique on its page; a plain word.
        title: Of the picture.
        told: What it shows, in a sentence or two, for those who cannot see it.
        unit: Of all that is held.
    """
    scale = _scale(ground)
    radius = _radius(len(held))
    most = max((each.high for each in held.values()), default=0.0)
    top = (ticks(0.0, 1.2 * most) or [most])[-1] if most > 0 else 1.0
    placed = _placed(ground, held, scale, radius)
    whole = scale.height + _KEY
    inside = "".join(
        (
            _roads(ground, scale),
            *_signals(ground, scale),
            *(
                f"<g><title>{escape(f'{each}: {held[each].told}')}</title>"
                f"{''.join(_disc(x, y, held[each], radius, top))}</g>"
                for each, (x, y) in placed.items()
            ),
            *_names(ground, scale, list(placed.values()), radius),
            *_key(scale.height + 8, radius, top, unit, has_signals=bool(ground.signals)),
            _length(ground, scale),
        )
    )
    at = escape(name)
    return Html(
        f"<svg class='chart map' viewBox='0 0 {WIDTH} {whole:.0f}' role='img' "
        f"aria-labelledby='{at}-title {at}-told'>"
        f"<title id='{at}-title'>{escape(title)}</title>"
        f"<desc id='{at}-told'>{escape(told)}</desc>{inside}</svg>"
    )


def _scale(ground: Ground) -> _Scale:
    known = [p for road in ground.roads for p in road.points]
    known += [mark.at for mark in ground.marks if mark.at is not None]
    known += ground.signals.values()
    xs, ys = [x for x, _ in known] or [0.0], [y for _, y in known] or [0.0]
    wide, high = max(max(xs) - min(xs), 1.0), max(max(ys) - min(ys), 1.0)
    room = WIDTH - 2 * _EDGE, HIGHEST - 2 * _EDGE
    factor = min(room[0] / wide, room[1] / high)
    height = max(high * factor + 2 * _EDGE, LOWEST)
    return _Scale(min(xs), max(ys), factor, (WIDTH - wide * factor) / 2, height)


def _radius(count: int) -> float:
    return max(min(LARGEST_DISC, LARGEST_DISC * math.sqrt(DISCS / max(count, 1))), SMALLEST_DISC)


def _roads(ground: Ground, scale: _Scale) -> str:
    """All roads with as many lanes are one path: a district has thousands."""
    by_width: dict[int, list[str]] = {}
    for road in ground.roads:
        line = "L".join(f"{x:.1f} {y:.1f}" for x, y in map(scale.at, road.points))
        by_width.setdefault(min(road.lanes, 4), []).append(f"M{line}")
    return "".join(
        f"<path class='road' stroke-width='{0.8 + 0.7 * lanes:.1f}' d='{''.join(lines)}'/>"
        for lanes, lines in sorted(by_width.items())
    )


def _signals(ground: Ground, scale: _Scale) -> Iterator[str]:
    for name, place in ground.signals.items():
        told = escape(f"signal {name}")
        yield (
            f"<g><title>{told}</title><path class='signal' d='{_diamond(*scale.at(place))}'/></g>"
        )


def _names(
    ground: Ground, scale: _Scale, discs: Sequence[tuple[float, float]], radius: float
) -> Iterator[str]:
    """Of signals, where they cover neither discs nor each other; else a name is only a title."""
    signals = {name: scale.at(place) for name, place in ground.signals.items()}
    taken = [(x - radius, y - radius, x + radius, y + radius) for x, y in discs]
    taken += [(x - 6, y - 6, x + 6, y + 6) for x, y in signals.values()]
    for name, (x, y) in signals.items():
        short = name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"
        wide = 8.0 * len(short)
        for far, right, up in product(NAMES_FAR, (1, -1), (1, -1)):
            # The corner of the name that is nearest to its signal.
            corner, height = x + right * (7 + far), y - up * (6 + far)
            left = corner if right > 0 else corner - wide
            low = height if up > 0 else height + 10
            box = (left, low - 11, left + wide, low + 2)
            if left >= 0 and left + wide <= WIDTH and not any(_meet(box, each) for each in taken):
                taken.append(box)
                if far:
                    yield f"<path class='lead' d='M{x:.1f} {y:.1f}L{corner:.1f} {height:.1f}'/>"
                yield f"<text class='name' x='{left:.1f}' y='{low:.1f}'>{escape(short)}</text>"
                break


def _meet(one: _Box, other: _Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _placed(
    ground: Ground, held: Mapping[str, Held], scale: _Scale, radius: float
) -> dict[str, tuple[float, float]]:
    """By mark that is held and has a place: where it is drawn."""
    known = {m.name: scale.at(m.at) for m in ground.marks if m.name in held and m.at is not None}
    return dict(zip(known, apart(list(known.values()), 1.6 * radius), strict=True))


def _disc(x: float, y: float, each: Held, radius: float, top: float) -> Iterator[str]:
    if each.is_silent:
        yield _cross(x, y, radius)
        return
    yield _circle("ring", x, y, _size(each.high, radius, top))
    yield _circle("disc", x, y, _size(each.low, radius, top))


def _size(value: float, radius: float, top: float) -> float:
    """Areas are as values are; nothing is a dot still."""
    share = min(max(value, 0.0) / top, 1.0)
    return max(radius * math.sqrt(share), 0.8)


def apart(places: Sequence[tuple[float, float]], least: float) -> list[tuple[float, float]]:
    """The places, those that lie on others moved aside until they do not.

    They go out from where they are along a spiral: loops in lanes beside each other are a few
    metres apart, which on a map is nothing.
    """
    found: list[tuple[float, float]] = []
    cells: dict[tuple[int, int], list[tuple[float, float]]] = {}

    def is_free(x: float, y: float) -> bool:
        i, j = int(x // least), int(y // least)
        near = (cells.get((i + a, j + b), ()) for a in (-1, 0, 1) for b in (-1, 0, 1))
        return all(math.dist((x, y), other) >= least - 1e-9 for cell in near for other in cell)

    for x, y in places:
        moved = next((p for p in _around(x, y, least) if is_free(*p)), (x, y))
        found.append(moved)
        cells.setdefault((int(moved[0] // least), int(moved[1] // least)), []).append(moved)
    return found


def _around(x: float, y: float, least: float) -> Iterator[tuple[float, float]]:
    yield x, y
    for turn in range(1, 4):
        for step in range(8 * turn):
            angle = 2 * math.pi * step / (8 * turn)
            yield x + turn * least * math.cos(angle), y + turn * least * math.sin(angle)


def _key(y: float, radius: float, top: float, unit: str, *, has_signals: bool) -> Iterable[str]:
    """What discs, rings, crosses and diamonds mean."""
    row = y + 10
    x = _EDGE + radius
    of = f" {unit}" if unit else ""
    for value in (top / 4, top):
        told = f"{few(value)}{of}"
        yield _circle("disc", x, row, _size(value, radius, top))
        yield _word(x + radius + 5, row, told)
        x += 2 * radius + 18 + 8.0 * len(told)
    yield _cross(x, row, radius)
    yield _word(x + radius + 5, row, "silent")
    if has_signals:
        x += 2 * radius + 66
        yield f"<path class='signal' d='{_diamond(x, row)}'/>"
        yield _word(x + 11, row, "signal")
    row, x = row + 26, _EDGE + radius
    yield _circle("ring", x, row, radius)
    yield _circle("disc", x, row, 0.55 * radius)
    yield _word(x + radius + 5, row, "disc: at least, ring: at most (90 %)")


def _circle(kind: str, x: float, y: float, size: float) -> str:
    return f"<circle class='{kind}' cx='{x:.1f}' cy='{y:.1f}' r='{size:.1f}'/>"


def _word(x: float, y: float, text: str) -> str:
    return f"<text class='key' x='{x:.0f}' y='{y + 5:.0f}'>{escape(text)}</text>"


def _cross(x: float, y: float, radius: float) -> str:
    r = 0.6 * radius
    return (
        f"<path class='silent' d='M{x - r:.1f} {y - r:.1f}l{2 * r:.1f} {2 * r:.1f}"
        f"M{x - r:.1f} {y + r:.1f}l{2 * r:.1f} {-2 * r:.1f}'/>"
    )


def _diamond(x: float, y: float) -> str:
    return f"M{x:.1f} {y - 6:.1f}l6 6l-6 6l-6 -6Z"


def _length(ground: Ground, scale: _Scale) -> str:
    """A bar of a round length, at the lower right."""
    if not ground.roads:
        return ""
    metres = 110.0 / scale.factor
    size = 10.0 ** math.floor(math.log10(metres))
    bar = max(each * size for each in (1.0, 2.0, 5.0) if each * size <= metres)
    right, y = WIDTH - _EDGE, scale.height + 44
    told = f"{bar / 1000:g} km" if bar >= 1000 else f"{bar:g} m"
    left = right - bar * scale.factor
    return (
        f"<path class='zero' d='M{left:.1f} {y - 4:.0f}v4H{right:.1f}v-4'/>"
        f"<text x='{left - 6:.1f}' y='{y + 1:.0f}' text-anchor='end'>{told}</text>"
    )
