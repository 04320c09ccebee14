"""``python -m gemeos_plants.windfarm``: the wind farm as a process of its own."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from gemeos_plants.device import Watchman
from gemeos_plants.line import Address, AddressError, Line
from gemeos_plants.parent import Parent
from gemeos_plants.windfarm.cursor import Cursor, CursorError
from gemeos_plants.windfarm.mischief import NONE, Mischief, departures
from gemeos_plants.windfarm.plant import COMMITTED, PREFIX, Patience, Plant
from gemeos_plants.windfarm.record import RecordError, iso, load, micros
from gemeos_plants.windfarm.steered import Steered

logger = logging.getLogger("gemeos_plants.windfarm")


def _speed(text: str) -> float | None:
    if text == "max":
        return None
    try:
        speed = float(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is neither a number nor 'max'") from error
    if not 0 < speed < float("inf"):
        raise argparse.ArgumentTypeError("a speed is above zero; 'max' is as fast as committed")
    return speed


def _share(text: str) -> float:
    share = float(text)
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not a share between 0 and 1")
    return share


def _time(text: str) -> int:
    try:
        return micros(text)
    except RecordError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _address(text: str) -> Address:
    try:
        return Address.parse(text)
    except AddressError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m gemeos_plants.windfarm",
        description="Replay the recorded SCADA of the wind farm La Haute Borne over MQTT.",
    )
    add = parser.add_argument
    add("--broker", type=_address, required=True, help="as in mqtt://127.0.0.1:1883")
    add("--cursor", type=Path, required=True, help="the file that says what the site committed")
    add("--speed", type=_speed, default=600.0, help="plant seconds a second, or 'max'")
    add("--start", type=_time, help="first stamp to send, as in 2014-03-14T00:00Z")
    add("--end", type=_time, help="stamps from here on are not sent")
    add("--seed", type=int, default=7, help="of delays, duplicates and reorderings")
    add("--delays", type=_share, metavar="SHARE", help="share of late readings (default 0.01)")
    add("--no-mischief", action="store_true", help="no delays, duplicates, reorderings")
    add("--window", type=int, default=Patience().window, help="readings sent before committed")
    add("--obey", action="store_true", help="let turbines be set; see gemeos_plants.device")
    add("--patience", type=float, help="without a heartbeat, seconds; by default as it says")
    add("--told", type=Path, help="a file that gets a line of all that is done")
    add("--parent", type=int, help="number of the process that this one must not outlive")
    return parser


def main() -> int:
    """Run the plant; the exit code is 0 when finished or asked to stop, else 1."""
    parser = _parser()
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="windfarm plant: %(message)s")
    try:
        record = load()
        first = record.first(arguments.start) if arguments.start is not None else 0
        beyond = record.first(arguments.end) if arguments.end is not None else len(record)
        cursor = Cursor(arguments.cursor, record.sha256, first)
    except (RecordError, CursorError, OSError) as error:
        logger.error("%s", error)  # noqa: TRY400 -- one sentence for a person, no traceback
        return 1
    if first >= beyond:
        parser.error(
            f"there is nothing to send; the record runs from {iso(int(record.stamp[0]))} "
            f"to {iso(int(record.stamp[-1]))}"
        )
    mischief = NONE if arguments.no_mischief else Mischief(seed=arguments.seed)
    if arguments.delays is not None and not arguments.no_mischief:
        mischief = replace(mischief, late=arguments.delays)
    asked = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: asked.set())
    parent = Parent(arguments.parent)
    steered = Steered(record, arguments.told, arguments.patience) if arguments.obey else None
    plant = Plant(
        record,
        departures(record, mischief, first, beyond),
        cursor,
        Line(arguments.broker, "lahauteborne", [(COMMITTED, 1)]),
        speed=arguments.speed,
        stopped=lambda: asked.is_set() or parent.gone,
        patience=Patience(window=max(1, arguments.window)),
        steered=steered,
    )
    with _settable(steered, arguments.broker):
        logger.info("Ended: %s.", plant.run().value)
    return 0


@contextmanager
def _settable(steered: Steered | None, broker: Address) -> Iterator[None]:
    """Let turbines be set, and fall back where nobody sees them."""
    if steered is None:
        yield
        return
    line = steered.line(broker, PREFIX)
    line.client.loop_start()
    try:
        with Watchman(steered.device, line):
            yield
    finally:
        line.client.disconnect()
        line.client.loop_stop()


if __name__ == "__main__":
    sys.exit(main())
