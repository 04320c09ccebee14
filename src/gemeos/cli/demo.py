"""``gemeos demo``: a broker, a plant and a site, three processes that are ended together."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from gemeos.cli.declared import declared
from gemeos.cli.up import run_site
from gemeos.errors import LinkError, SettingsError
from gemeos.runtime.children import broker, child, free_port

FOLDER = Path("site-data")
DESCRIBED_S = 20.0
AHEAD = 150
"""Readings that the city sends before the site has stored them: some three minutes of it. Further
ahead its clock would be heard long after them."""


@dataclass(frozen=True, slots=True)
class _Kind:
    """What differs between the demos."""

    twins: str
    """Package that has the site."""
    plant: str
    speed: str
    start: str
    resumes: bool
    """Whether its plant goes on where it was; the other one lives anew each time."""


_KINDS = {
    "windfarm": _Kind(
        "gemeos.twins.windfarm", "gemeos_plants.windfarm", "600", "2014-01-01T00:00Z", resumes=True
    ),
    "traffic": _Kind(
        "gemeos.twins.traffic", "gemeos_plants.traffic", "2", "2026-03-02T07:00Z", resumes=False
    ),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What ``demo`` takes."""
    parser.add_argument(
        "which",
        nargs="?",
        choices=tuple(_KINDS),
        default="windfarm",
        help="a recorded wind farm, or the simulated traffic of a grid of streets",
    )
    parser.add_argument(
        "--folder", type=Path, help="where the demo keeps its files; by default site-data/WHICH"
    )
    parser.add_argument("--port", type=int, default=8000, help="where the site answers")
    parser.add_argument("--speed", help="plant seconds a second, or 'max'")
    parser.add_argument("--start", help="where the plant begins")
    parser.add_argument(
        "--restart", action="store_true", help="forget what was lived through and begin anew"
    )
    parser.set_defaults(run=_demo)


def _demo(args: argparse.Namespace) -> None:
    kind = _KINDS[args.which]
    args.speed, args.start = args.speed or kind.speed, args.start or kind.start
    folder: Path = args.folder or FOLDER / args.which
    if args.restart or not kind.resumes:
        _forget(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as ending:
        port = free_port()
        behind = ending.enter_context(broker(folder, port))
        more = _of_record(folder) if kind.resumes else _of_district(folder)
        path = _written(folder, port, args, kind)
        # Read before the plant starts: a mistake in site.toml should not set anything going.
        settings = declared(path)
        module = (
            *(kind.plant, "--broker", f"mqtt://127.0.0.1:{port}", *more),
            *("--speed", args.speed, "--start", args.start),
        )
        plant = ending.enter_context(child("plant", folder, module))

        def alive() -> None:
            for name, process in (("broker", behind), ("plant", plant)):
                code = process.poll()
                # The plant ends by itself, with 0, when the site has all of its record.
                if code is not None and not (process is plant and code == 0):
                    raise LinkError(
                        f"The demo's {name} ended with code {code}; see {folder / name}.log."
                    )

        run_site(settings, alive=alive)


def _forget(folder: Path) -> None:
    """Delete a demo's folder, and nothing that is none.

    Raises:
        SettingsError: it has files, and no site of a demo among them.
    """
    if folder.is_dir() and any(folder.iterdir()) and not (folder / "site.toml").is_file():
        raise SettingsError(f"{folder} is not the folder of a demo: it has no site.toml.")
    shutil.rmtree(folder, ignore_errors=True)


def _of_record(folder: Path) -> list[str]:
    return ["--cursor", str(folder / "plant-cursor.json")]


def _of_district(folder: Path) -> list[str]:
    """Arguments of the plant; its district is described first.

    Raises:
        SettingsError: SUMO is not installed, or carries no such network.
    """
    district = folder / "district"
    made = subprocess.run(  # noqa: S603 -- our own interpreter and module
        [sys.executable, "-m", "gemeos_plants.traffic.demo", str(district)],
        check=False,
        capture_output=True,
        text=True,
        timeout=DESCRIBED_S,
    )
    if made.returncode:
        raise SettingsError(made.stderr.strip())
    return [
        *("--district", str(district)),
        *("--reveal", str(folder / "drawn.json")),
        *("--window", str(AHEAD)),
    ]


def _written(folder: Path, broker_port: int, args: argparse.Namespace, kind: _Kind) -> Path:
    """The demo's site.toml, with this start's ports in it."""
    template = resources.files(kind.twins).joinpath("demo_site.toml")
    speed = "0" if args.speed == "max" else args.speed
    text = (
        template.read_text(encoding="utf-8")
        .replace("@BROKER@", f"mqtt://127.0.0.1:{broker_port}")
        .replace("@PORT@", str(args.port))
        .replace("@SPEED@", speed)
        .replace("@SPEED_TOLD@", "as fast as it goes" if speed == "0" else f"x{speed}")
        .replace("@START@", args.start)
        .replace("@DAY@", args.start[:10])
        .replace("@DISTRICT@", (folder / "district").resolve().as_posix())
    )
    path = folder / "site.toml"
    path.write_text(text, encoding="utf-8")
    return path
