"""The plant: lives through its hours, tells what it counts, and lets its signals be set.

Topics below a root, ``city`` unless another is named; payloads are JSON, all at QoS 1:

- ``ROOT/reading/DETECTOR/count`` and ``.../speed``: ``{"seq", "valid_from", "valid_at", "value",
  "unit"}`` each 60 s of the plant's time. Where nobody passed there is no speed.
- ``ROOT/clock``: ``{"now", "speed"}``. Everything due by ``now`` has been sent.
- ``ROOT/finished``: ``{"last", "seq"}``.
- ``ROOT/committed``, from the site: ``{"committed": [[first, last], ...]}``.
- ``ROOT/heartbeat``, from the site: the twin sees this district. Without it for ``patience_s``
  wall seconds, all signals go back to their fixed programmes, and commands are refused.
- ``ROOT/command/PLACE``: ``{"id", "value", "expires_at", ...}``, answered on
  ``ROOT/acknowledgement`` with ``{"id", "accepted", "reason"}``. ``expires_at`` is in the plant's
  time. A command is taken once.
- ``ROOT/reported/PLACE``, retained: ``{"value", "command"}``; ``ROOT/ask/PLACE`` asks for it.
- ``ROOT/standing/SIGNAL/WHAT``, retained: ``{"value", "valid_at", "unit"}``, the same as readings:
  ``WHAT`` is ``offset``, or ``phase0`` and so on of those that can be set. Told on change, and
  anew each 300 s of the plant's time: what a broker remembers is nobody's fresh news.
- ``ROOT/ordered/SIGNAL`` and ``ROOT/running/SIGNAL``, retained: ``{"program", "durations",
  "offset", "at"}``, what is ordered, and what has begun to run with a cycle.
- ``ROOT/end``: ``{"id"}``. The last score is made: the plant ends, and writes what was drawn.

Places of a signal: ``SIGNAL/program`` (its number, in the order in which the district's files are
read), ``SIGNAL/phase/K`` (seconds of phase K of the programme that is ordered), ``SIGNAL/offset``
(seconds), ``SIGNAL/timing`` (a list: seconds of all phases at once; not reported, see ``ordered``).
What the cabinet's rules forbid is refused, with the reason. In topics ``%``, ``+`` and ``#`` of
names are told as percent codes, of detectors and under ``standing`` ``/`` too.
"""

from __future__ import annotations

import json
import logging
import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

from gemeos_plants.line import Heard, Line
from gemeos_plants.traffic.controller import Controller, Order, RefusedError
from gemeos_plants.traffic.drawn import Drawn
from gemeos_plants.traffic.outbox import SILENCE_S, Outbox
from gemeos_plants.traffic.reality import INTERVAL_S, STEP_S, Count, Reality

logger = logging.getLogger(__name__)

PATIENCE_S: Final = 3.0
"""With a heartbeat a second and half a second to notice, a plant is back in five."""
WINDOW: Final = 2000
REMEMBERED: Final = 1000
"""Commands that are known again."""
STANDING_S: Final = 300.0
_BREATH_S: Final = 0.25
_CLOCK_EVERY_S: Final = 1.0
_LAST_WORDS_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Course:
    """How long and how fast the plant lives."""

    start: datetime
    """What SUMO's beginning stands for."""
    speed: float | None
    """Plant seconds a wall second; None for as fast as the site commits."""
    until_s: float | None = None
    """Seconds to live; None for until somebody ends it."""
    window: int = WINDOW
    """Readings sent and not committed; with so many, plant time stands still."""
    patience_s: float = PATIENCE_S
    silence_s: float = SILENCE_S
    """Wall seconds without news of readings, after which they are sent again."""


class Plant:
    """One life of a district."""

    def __init__(
        self,
        reality: Reality,
        drawn: Drawn,
        line: Line,
        course: Course,
        *,
        root: str,
        reveal: Path,
        stopped: Callable[[], bool],
    ) -> None:
        """Ready to run.

        Args:
            reality: The traffic.
            drawn: What it was made with; written to ``reveal`` when all is over.
            line: The connection, not yet opened.
            course: How long and how fast.
            root: What all topics begin with.
            reveal: A file that does not exist before the end.
            stopped: Asked all the time; once true, the life ends.
        """
        self._reality, self._drawn, self._line = reality, drawn, line
        self._course, self._root, self._reveal, self._stopped = course, root, reveal, stopped
        self._outbox = Outbox(course.silence_s)
        self._known: OrderedDict[str, dict[str, Any]] = OrderedDict()
        self._set_by: dict[str, str | None] = {}
        self._stood: dict[str, float] = {}
        self._told_standing_s = 0.0
        self._runs = {i: c.runs for i, c in reality.controllers.items()}
        self._did: Counter[str] = Counter()
        self._why: Counter[str] = Counter()
        self._seen_at: float | None = None
        self._connections = 0
        self._told_at = -_CLOCK_EVERY_S
        self._ended = False

    def run(self) -> None:
        """Live until the end, then write what was drawn."""
        self._line.open()
        try:
            self._live()
            self._finish()
        finally:
            self._write()
            self._line.close()
            self._reality.close()

    @property
    def now(self) -> datetime:
        """What time it is there."""
        return self._course.start + timedelta(seconds=self._reality.elapsed_s)

    def _over(self) -> bool:
        until = self._course.until_s
        lived = until is not None and self._reality.elapsed_s >= until
        return self._ended or lived or self._stopped()

    def _live(self) -> None:
        anchor = self._reality.elapsed_s, time.monotonic()
        while not self._over():
            self._attend(0.0)
            if not self._line.ready or len(self._outbox) >= self._course.window:
                self._attend(_BREATH_S)
                anchor = self._reality.elapsed_s, time.monotonic()
                continue
            if self._course.speed is not None:
                begun, wall = anchor
                due = wall + (self._reality.elapsed_s + STEP_S - begun) / self._course.speed
                early = due - time.monotonic()
                if early > 0:
                    self._attend(min(early, _BREATH_S))
                    continue
                if early < -1.0:
                    # After a stand-still it goes on from here; nothing is hurried through.
                    anchor = self._reality.elapsed_s, time.monotonic()
            for count in self._reality.step():
                self._tell(count)
            self._report_changes()
            if self._reality.elapsed_s >= self._told_standing_s + STANDING_S:
                self._tell_all_standing()

    def _tell_all_standing(self) -> None:
        """For those who came later than the last change."""
        self._told_standing_s = self._reality.elapsed_s
        for signal in self._reality.controllers:
            for place, value in self._places(signal).items():
                self._tell_standing(signal, place, value)

    def _tell(self, count: Count) -> None:
        told = [("count", float(count.vehicles), "")]
        if count.speed_m_per_s is not None:
            told.append(("speed", count.speed_m_per_s, "m/s"))
        for quantity, value, unit in told:
            topic = f"{self._root}/reading/{_quoted(count.loop, '')}/{quantity}"
            body: dict[str, object] = {
                "valid_from": _iso(self.now - timedelta(seconds=INTERVAL_S)),
                "valid_at": _iso(self.now),
                "value": value,
                "unit": unit,
            }
            self._line.publish(*self._outbox.put(topic, body, time.monotonic()))

    def _attend(self, wait_s: float) -> None:
        """What goes on beside living: commands, notices, sending again, the clock, falling back."""
        for heard in self._line.heard(wait_s):
            self._hear(heard)
        now = time.monotonic()
        if self._line.ready:
            anew = self._line.connections != self._connections
            if anew:
                self._connections = self._line.connections
                self._report_all()
            for topic, payload in self._outbox.again(now, all_of_it=anew):
                self._line.publish(topic, payload)
            if now - self._told_at >= _CLOCK_EVERY_S:
                self._told_at = now
                self._say("clock", {"now": _iso(self.now), "speed": self._course.speed})
        if self._unseen:
            self._fall_back()

    def _hear(self, heard: Heard) -> None:
        kind, _, place = heard.topic.removeprefix(f"{self._root}/").partition("/")
        now = time.monotonic()
        if kind == "heartbeat":
            self._seen_at = now
            return
        if kind == "committed":
            if not self._outbox.committed(heard.payload, now):
                self._did["unreadable"] += 1
            return
        try:
            body = json.loads(heard.payload)
            key = str(body["id"])
            if kind == "end":
                self._ended = True
            elif kind == "ask":
                self._report(place, answers=key)
            elif kind == "command":
                self._say("acknowledgement", self._obey(place, key, body))
        except (ValueError, KeyError, TypeError) as error:
            self._did["unreadable"] += 1
            logger.warning("Not understood on %s: %r", heard.topic, error)

    def _obey(self, place: str, key: str, body: dict[str, Any]) -> dict[str, Any]:
        self._did["commands"] += 1
        if key in self._known:
            return self._known[key]
        answer: dict[str, Any] = {"id": key, "accepted": True}
        try:
            self._may_move(body["expires_at"])
            self._order(place, body["value"])
        except RefusedError as refused:
            answer = {"id": key, "accepted": False, "reason": str(refused)}
            self._did["refused"] += 1
            self._why[str(refused)] += 1
        else:
            self._did["obeyed"] += 1
            # Who was never seen waits as long from here on.
            self._seen_at = time.monotonic() if self._seen_at is None else self._seen_at
            self._follow(self._cabinet(place)[0], place, key)
        self._known[key] = answer
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return answer

    def _follow(self, signal: str, place: str, key: str | None) -> None:
        """Tell what is ordered of a signal now, and for whom it moved."""
        for one, value in self._places(signal).items():
            if one == place or self._stood.get(one) != value:
                self._stood[one], self._set_by[one] = value, key
                self._report(one)
                self._tell_standing(signal, one, value)
        name = _quoted(signal)
        controller = self._reality.controllers[signal]
        self._say(f"ordered/{name}", self._timing(controller, controller.ordered), retain=True)

    def _places(self, signal: str) -> dict[str, float]:
        """By place: where it stands, which is what is ordered, in force from the next cycle on."""
        name, ordered = _quoted(signal), self._reality.controllers[signal].ordered
        return {
            f"{name}/program": ordered.program,
            f"{name}/offset": ordered.offset_s,
            **{f"{name}/phase/{i}": seconds for i, seconds in enumerate(ordered.durations)},
        }

    @property
    def _unseen(self) -> bool:
        """Whether the twin was heard, and is no longer."""
        seen = self._seen_at
        return seen is not None and time.monotonic() - seen > self._course.patience_s

    def _may_move(self, expires_at: str) -> None:
        if self._unseen:
            # It would be taken back at once.
            raise RefusedError(f"the twin was not heard for {self._course.patience_s:g} s")
        if self.now >= datetime.fromisoformat(expires_at):
            raise RefusedError("it has expired")

    def _order(self, place: str, value: Any) -> None:  # noqa: ANN401 -- whatever somebody sent
        signal, what = self._cabinet(place)
        controller = self._reality.controllers[signal]
        match what:
            case ["timing"]:
                controller.order(durations=[float(v) for v in value])
            case ["program"]:
                if float(value) != int(value):
                    raise RefusedError(f"{value} is no number of a programme")
                controller.order(program=int(value))
            case ["offset"]:
                controller.order(offset_s=float(value))
            case ["phase", number] if number.isdigit():
                durations = list(controller.ordered.durations)
                if int(number) >= len(durations):
                    raise RefusedError(f"there are phases 0 to {len(durations) - 1}")
                durations[int(number)] = float(value)
                controller.order(durations=durations)
            case _:
                raise RefusedError(f"there is no {place}")

    def _cabinet(self, place: str) -> tuple[str, list[str]]:
        """Signal and what of it. A signal's name may have slashes of its own."""
        parts = place.split("/")
        for cut in range(len(parts) - 1, 0, -1):
            signal = unquote("/".join(parts[:cut]))
            if signal in self._reality.controllers:
                return signal, parts[cut:]
        raise RefusedError(f"there is no {place}")

    def _fall_back(self) -> None:
        changed = [i for i, c in self._reality.controllers.items() if c.fall_back()]
        if changed:
            self._did["fallbacks"] += 1
            logger.info(
                "Nobody sees us: %d signals go back to their fixed programme.", len(changed)
            )
        for signal in changed:
            self._follow(signal, "", None)

    def _report_changes(self) -> None:
        """Tell of signals whose next cycle is another's."""
        for signal, controller in self._reality.controllers.items():
            if self._runs[signal] != controller.runs:
                self._runs[signal] = controller.runs
                body = self._timing(controller, controller.runs)
                self._say(f"running/{_quoted(signal)}", body, retain=True)

    def _report_all(self) -> None:
        for signal, controller in self._reality.controllers.items():
            for place, value in self._places(signal).items():
                self._stood[place] = value
                self._report(place)
                self._tell_standing(signal, place, value)
            for topic, order in (("ordered", controller.ordered), ("running", controller.runs)):
                body = self._timing(controller, order)
                self._say(f"{topic}/{_quoted(signal)}", body, retain=True)

    def _report(self, place: str, answers: str | None = None) -> None:
        """Where a place stands, retained."""
        if place in self._stood:
            body: dict[str, object] = {
                "value": self._stood[place],
                "command": self._set_by.get(place),
            }
            if answers is not None:
                body["answers"] = answers
            self._say(f"reported/{place}", body, retain=True)

    def _tell_standing(self, signal: str, place: str, value: float) -> None:
        """As a reading, of seconds that can be set."""
        kind, _, number = place.removeprefix(f"{_quoted(signal)}/").partition("/")
        controller = self._reality.controllers[signal]
        if kind == "offset" or (kind == "phase" and controller.may_differ(int(number))):
            what = f"{kind}{number}"
            body = {"value": value, "valid_at": _iso(self.now), "unit": "s"}
            self._say(f"standing/{_quoted(signal, '')}/{what}", body, retain=True)

    def _timing(self, controller: Controller, order: Order) -> dict[str, object]:
        return {
            "program": controller.programs[order.program].id,
            "durations": list(order.durations),
            "offset": order.offset_s,
            "at": _iso(self.now),
        }

    def _say(self, topic: str, body: dict[str, Any], *, retain: bool = False) -> None:
        payload = json.dumps(body, separators=(",", ":")).encode()
        self._line.publish(f"{self._root}/{topic}", payload, retain=retain)

    def _finish(self) -> None:
        """Say that it has ended until the site has all of it."""
        last = {"last": _iso(self.now), "seq": self._outbox.last}
        deadline, said = time.monotonic() + _LAST_WORDS_S, 0.0
        while not self._stopped() and time.monotonic() < deadline:
            now = time.monotonic()
            if self._line.ready and (not self._outbox or now - said >= _CLOCK_EVERY_S):
                said = now
                self._say("finished", last)
                if not self._outbox and self._line.drained(within_s=10.0):
                    return
            self._attend(_BREATH_S)

    def _write(self) -> None:
        told = {
            "drawn": self._drawn.told(),
            "lived": self._reality.told(),
            "commands": dict(self._did),
            "refused_because": dict(self._why),
        }
        draft = self._reveal.with_name(self._reveal.name + ".new")
        draft.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
        draft.replace(self._reveal)


def _quoted(name: str, safe: str = "/") -> str:
    """A name as topics can hold it."""
    for sign in "%+#/":
        if sign not in safe:
            name = name.replace(sign, f"%{ord(sign):02X}")
    return name


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
