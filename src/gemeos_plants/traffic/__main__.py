"""``python -m gemeos_plants.traffic``: a district as a process of its own."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import tempfile
import threading
from datetime import datetime
from pathlib import Path

from gemeos_plants.line import Address, AddressError, Line
from gemeos_plants.parent import Parent
from gemeos_plants.traffic.demo import carried
from gemeos_plants.traffic.district import DistrictError, read
from gemeos_plants.traffic.drawn import draw
from gemeos_plants.traffic.outbox import SILENCE_S
from gemeos_plants.traffic.plant import PATIENCE_S, WINDOW, Course, Plant
from gemeos_plants.traffic.reality import Reality

logger = logging.getLogger("gemeos_plants.traffic")


def _speed(text: str) -> float | None:
    if text == "max":
        return None
    speed = float(text)
    if not 0 < speed < float("inf"):
        raise argparse.ArgumentTypeError("a speed is above zero; 'max' is as fast as committed")
    return speed


def _instant(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise argparse.ArgumentTypeError(f"{text} has no zone; write it as in 2026-03-02T07:00Z")
    return at


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m gemeos_plants.traffic",
        description="Live the traffic of a district, with drivers and demand that nobody knows.",
    )
    add = parser.add_argument
    add("--broker", required=True, help="as in mqtt://127.0.0.1:1883")
    add("--district", type=Path, help="its folder; without it a network that SUMO's wheel carries")
    add("--reveal", type=Path, required=True, help="where what was drawn is written at the end")
    add("--start", type=_instant, default=_instant("2026-03-02T07:00Z"), help="its first second")
    add("--speed", type=_speed, default=60.0, help="plant seconds a second, or 'max'")
    add("--until", type=float, metavar="S", help="seconds to live; else until somebody ends it")
    add("--root", default="city", help="what all topics begin with")
    add("--window", type=int, default=WINDOW, help="readings sent before committed")
    add("--patience", type=float, default=PATIENCE_S, help="seconds without a heartbeat")
    add("--silence", type=float, default=SILENCE_S, help="seconds until readings are sent again")
    add("--sumo-output", type=Path, help="a folder for what SUMO counted itself")
    add("--parent", type=int, help="number of the process that this one must not outlive")
    return parser


def main() -> int:
    """Live; the exit code is 0 when it ended or was asked to stop, else 1."""
    arguments = _parser().parse_args()
    logging.basicConfig(level=logging.INFO, format="traffic plant: %(message)s")
    if arguments.reveal.exists():
        logger.error("%s is there already: name a file that is not.", arguments.reveal)
        return 1
    asked = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: asked.set())
    parent = Parent(arguments.parent)
    drawn = draw()
    with tempfile.TemporaryDirectory() as desk:
        try:
            folder = arguments.district or carried(Path(desk))
            reality = Reality(read(folder), drawn, arguments.sumo_output)
            root = arguments.root
            heard = [(f"{root}/{kind}", 1) for kind in ("command/#", "ask/#", "committed", "end")]
            # Of heartbeats only the next one matters.
            heard.append((f"{root}/heartbeat", 0))
            line = Line(Address.parse(arguments.broker), "traffic", heard)
        except (DistrictError, AddressError) as error:
            logger.error("%s", error)  # noqa: TRY400 -- one sentence for a person, no traceback
            return 1
        course = Course(
            start=arguments.start,
            speed=arguments.speed,
            until_s=arguments.until,
            window=max(1, arguments.window),
            patience_s=arguments.patience,
            silence_s=arguments.silence,
        )
        Plant(
            reality,
            drawn,
            line,
            course,
            root=root,
            reveal=arguments.reveal,
            stopped=lambda: asked.is_set() or parent.gone,
        ).run()
    logger.info("Ended. What was drawn is in %s.", arguments.reveal)
    return 0


if __name__ == "__main__":
    sys.exit(main())
