"""``python -m tools.bench``: measure, print, and write ``build/bench.json``."""

from __future__ import annotations

import argparse
import sys
import tempfile
import traceback
from pathlib import Path

from tools.bench import engines, fallback, killed, late, memory, mqtt, store, tick
from tools.bench.progress import Progress
from tools.bench.report import Check, failed, table, write
from tools.bench.run import Run, Subject

BUILD = Path("build")
SUBJECTS = (
    Subject("rates", mqtt.rates, 210, 45),
    Subject("latency", mqtt.latency, 110, 30),
    Subject("what-ifs", mqtt.what_ifs, 165, 50),
    Subject("append", store.append, 15, 5),
    Subject("as-of", store.as_of, 60, 10),
    Subject("tick", tick.tick, 60, 15),
    Subject("late", late.late, 30, 10),
    Subject("engines", engines.engines, 30, 10),
    Subject("killed", killed.killed, 420, 60),
    Subject("fallback", fallback.fallback, 150, 30),
    Subject("memory", memory.memory, 120, 20),
)


def main() -> int:
    """0 where everything could be measured; a missed goal is told, and is no failure."""
    parser = argparse.ArgumentParser(prog="python -m tools.bench", description=__doc__)
    names = [s.name for s in SUBJECTS]
    parser.add_argument("--only", action="append", choices=names, help="may be given again")
    parser.add_argument("--quick", action="store_true", help="short runs: does everything work?")
    args = parser.parse_args()
    chosen = [s for s in SUBJECTS if not args.only or s.name in args.only]
    progress = Progress({s.name: s.quick_s if args.quick else s.full_s for s in chosen})
    BUILD.mkdir(exist_ok=True)
    checks: list[Check] = []
    broken = False
    with tempfile.TemporaryDirectory(prefix="bench-", dir=BUILD) as folder:
        run = Run(Path(folder).resolve(), progress, quick=args.quick)
        for subject in chosen:
            progress.begin(subject.name)
            try:
                checks += subject.measure(run)
            except Exception as error:  # noqa: BLE001 -- one subject must not cost the others
                broken = True
                traceback.print_exc()
                checks.append(failed(subject.name, f"{type(error).__name__}: {error}"))
            write(checks, BUILD / "bench.json")
    sys.stdout.write(table(checks))
    return int(broken)


if __name__ == "__main__":
    sys.exit(main())
