"""``python -m gemeos_plants.traffic.twice``: one reality that can be lived twice.

Whether a plan gains is known only where the same traffic is lived with it and without it. So this
plant copies itself: the copy obeys the orders, the other one goes on as it is. Both have the same
vehicles, drivers and chances, and none of it is told.

It is asked by lines of JSON on its standard input, and answers each with one on its output::

    {"live": 600}                             counts of each minute
    {"twice": 300, "orders": [{"signal": "A", "durations": [30, 3, 30, 3], "offset_s": 0}]}
                                              how it went with the orders, and without
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gemeos_plants.parent import Parent
from gemeos_plants.traffic.controller import RefusedError
from gemeos_plants.traffic.demo import carried
from gemeos_plants.traffic.district import DistrictError, read
from gemeos_plants.traffic.drawn import draw, drawn_from
from gemeos_plants.traffic.reality import STEP_S, Reality

logger = logging.getLogger("gemeos_plants.traffic.twice")
NOBODY = -1.0


def lived(reality: Reality, seconds: int) -> dict[str, Any]:
    """What came of so many seconds.

    ``counts`` by loop and minute, ``speeds`` in m/s too, -1 where nobody passed; ``lost_s`` by
    minute, of all vehicles together, those included that wait to come in; ``longest_s`` that one
    of them stood or waited in all of it; ``breaches`` of the lights by kind; ``shown`` by signal,
    what its lights showed from which second on.
    """
    counts: dict[str, list[int]] = {}
    speeds: dict[str, list[float]] = {}
    lost: list[float] = [0.0]
    shown: dict[str, list[tuple[float, str]]] = {i: [] for i in reality.controllers}
    stood: Counter[str] = Counter()
    before = _breaches(reality)
    for second in range(seconds):
        for signal, controller in reality.controllers.items():
            if not shown[signal] or shown[signal][-1][1] != controller.state:
                shown[signal].append((reality.now_s, controller.state))
        for count in reality.step():
            counts.setdefault(count.loop, []).append(count.vehicles)
            speed = count.speed_m_per_s
            speeds.setdefault(count.loop, []).append(NOBODY if speed is None else speed)
        lost[-1] += reality.losing()
        stood.update(reality.standing())
        if (second + 1) % 60 == 0:
            lost.append(0.0)
    breaches = _breaches(reality)
    breaches.subtract(before)
    return {
        "counts": counts,
        "speeds": speeds,
        "lost_s": lost[: seconds // 60],
        "longest_s": STEP_S * max(stood.values(), default=0),
        "breaches": dict(breaches),
        "shown": shown,
        "until_s": reality.now_s,
    }


def ordered(reality: Reality, orders: Sequence[Mapping[str, Any]]) -> list[str]:
    """Give the orders to the cabinets; why each that was refused was."""
    refused = []
    for order in orders:
        signal = order["signal"]
        try:
            reality.controllers[signal].order(
                durations=order.get("durations"), offset_s=order.get("offset_s")
            )
        except (RefusedError, KeyError) as error:
            refused.append(f"{signal}: {error}")
    return refused


def twice(
    reality: Reality, seconds: int, orders: Sequence[Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    """With the orders, in a copy of this process, and without them, in this one."""
    reads, writes = os.pipe()
    copy = os.fork()
    if copy == 0:
        try:
            os.close(reads)
            refused = ordered(reality, orders)
            told = {**lived(reality, seconds), "refused": refused}
            with os.fdopen(writes, "w", encoding="utf-8") as answer:
                json.dump(told, answer)
        finally:
            # Nothing of the other one's is to be closed or flushed twice.
            os._exit(0)
    os.close(writes)
    with os.fdopen(reads, encoding="utf-8") as answer:
        text = answer.read()
    os.waitpid(copy, 0)
    if not text:
        raise DistrictError("The copy of the plant ended before it had answered.")
    return {"with": json.loads(text), "without": lived(reality, seconds)}


def _breaches(reality: Reality) -> Counter[str]:
    total: Counter[str] = Counter(dict.fromkeys(("green", "yellow", "clearing", "cycle"), 0))
    for watch in reality.watches.values():
        total.update(watch.seen)
    return total


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m gemeos_plants.traffic.twice",
        description="Live the traffic of a district, and stretches of it twice.",
    )
    parser.add_argument("--district", type=Path, help="its folder; without it SUMO's own grid")
    parser.add_argument("--seed", type=int, help="for the same reality again; else nobody's")
    parser.add_argument("--parent", type=int, help="the process that this one must not outlive")
    return parser


def main() -> int:
    """Answer until nobody asks any more; the exit code is 1 where there is no district."""
    arguments = _parser().parse_args()
    logging.basicConfig(level=logging.INFO, format="traffic plant: %(message)s")
    # What libraries write themselves must not stand between the answers.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    parent = Parent(arguments.parent)
    drawn = draw() if arguments.seed is None else drawn_from(random.Random(arguments.seed))  # noqa: S311
    with tempfile.TemporaryDirectory() as desk:
        try:
            reality = Reality(read(arguments.district or carried(Path(desk))), drawn)
        except DistrictError as error:
            logger.error("%s", error)  # noqa: TRY400 -- one sentence for a person, no traceback
            return 1
        for line in sys.stdin:
            asked = json.loads(line)
            if "twice" in asked:
                told: dict[str, Any] = twice(reality, int(asked["twice"]), asked["orders"])
            else:
                told = lived(reality, int(asked["live"]))
            answers.write(json.dumps(told) + "\n")
            answers.flush()
            if parent.gone:
                break
        reality.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
