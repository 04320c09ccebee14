"""What a fleet holds in memory, beside what its members alone are."""

from __future__ import annotations

import argparse
import gc
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import psutil

import gemeos as gm
from gemeos.runtime.fleet import Fleet
from gemeos.runtime.host import Host
from gemeos.runtime.run import timeline_of
from gemeos.runtime.window import Windows, rows_of
from gemeos.schema.reading import Quality, Readings, Series
from tools.bench.children import Child
from tools.bench.model import LINK, MEMBERS, ROWS, SENSORS, STEP_US, pairs
from tools.bench.report import Check, at_most
from tools.bench.run import Run
from tools.bench.scripted import ScriptedLink
from tools.bench.store import batch

INSTANTS = 6
BASE_BYTES = 300_000_000
OWN_BYTES = 1024
"""Of each twin, beside members and readings."""


def memory(run: Run) -> Sequence[Check]:
    """A fresh process for each size."""
    sizes = [1_000, 10_000] if run.quick else [1_000, 10_000, 100_000]
    return [_check(run, twins) for twins in sizes]


def _check(run: Run, twins: int) -> Check:
    run.progress.say(f"{twins:,} twins")
    folder = run.folder / f"memory-{twins}"
    folder.mkdir()
    with Child("tools.bench.memory", "fleet", twins, folder) as child:
        rss, states = child.expect("rss", 600.0)
    with Child("tools.bench.memory", "readings", twins, folder) as child:
        (readings,) = child.expect("rss", 600.0)
    members = MEMBERS * ROWS * 4 * twins * float(states)
    held = float(rss) - float(readings)
    budget = members + OWN_BYTES * twins + BASE_BYTES
    over = (held - members - BASE_BYTES) / twins
    how = run.how(
        f"{held / 1e6:,.0f} MB of {budget / 1e6:,.0f} MB after {INSTANTS} instants; members "
        f"{members / 1e6:,.1f} MB in {float(states):.0f} states a twin (now, boundary, "
        f"checkpoints); beyond them and 300 MB {over:,.0f} bytes a twin. Apart: readings and keys "
        f"inside the horizon {float(readings) / 1e6:,.0f} MB, "
        f"{float(readings) / (twins * INSTANTS * len(SENSORS)):,.0f} bytes a reading"
    )
    name = f"memory of {twins:,} twins"
    of = "x (members x states kept + 1 KB a twin + 300 MB)"
    return at_most(name, held / budget, 1.0, of, how)


def fleet(twins: int, folder: Path) -> tuple[int, float]:
    """Bytes of the process that holds so many twins, and how many states of each it keeps."""
    link = ScriptedLink(lambda _: iter(()))
    site = gm.Site("memory", twins=pairs(twins), links=(link,), store=folder / "bench.duckdb")
    host = Host(site, timeline_of(site.store))
    try:
        host.resume()
        book = host.timeline.book
        for name in site.twin_names:
            for sensor in SENSORS:
                book.number(Series(LINK, f"{name}/{sensor}"))
        each = twins * len(SENSORS)
        one = host.fleet("0")
        for n in range(INSTANTS):
            _brought(host, one, batch(n * each, each, each))
        return resident(), 1.0 + float(np.mean(one.checkpoints_held))
    finally:
        host.close()


def _brought(host: Host, one: Fleet, rows: Readings) -> None:
    host.timeline.append(rows, known_at=int(rows.valid_at[-1]))
    one.take(rows, host.timeline.book)


def readings(twins: int) -> int:
    """Bytes of the windows that hold as many readings."""
    before = resident()
    windows = Windows(twins, STEP_US)
    each = twins * len(SENSORS)
    twin, channel = np.divmod(np.arange(each), len(SENSORS))
    for n in range(INSTANTS):
        rows = batch(n * each, each, each)
        windows.insert(
            twin,
            rows_of(
                channel.astype(np.int32),
                rows.sample,
                rows.valid_at,
                rows.valid_from,
                rows.revision,
                rows.quality == Quality.GOOD,
                rows.value,
            ),
        )
    return resident() - before


def resident() -> int:
    """Bytes that the process has in memory."""
    gc.collect()
    return int(psutil.Process().memory_info().rss)


def main() -> None:
    """Hold it, and tell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["fleet", "readings"])
    parser.add_argument("twins", type=int)
    parser.add_argument("folder", type=Path)
    args = parser.parse_args()
    if args.what == "fleet":
        size, states = fleet(args.twins, args.folder)
        sys.stdout.write(f"rss {size} {states}\n")
    else:
        sys.stdout.write(f"rss {readings(args.twins)}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
