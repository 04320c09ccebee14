"""``gemeos demo``: a broker, a plant and a site, three processes that are ended together."""

from __future__ import annotations

import argparse
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from importlib import resources
from pathlib import Path

from gemeos.cli.declared import declared
from gemeos.cli.up import run_site
from gemeos.errors import LinkError, SettingsError

FOLDER = Path("site-data") / "windfarm"
START_S = 20.0
STOP_S = 10.0
LOOK_EVERY_S = 0.05


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What ``demo`` takes."""
    parser.add_argument(
        "--folder", type=Path, default=FOLDER, help="where the demo keeps its files"
    )
    parser.add_argument("--port", type=int, default=8000, help="where the site answers")
    parser.add_argument("--speed", default="600", help="record seconds a second, or 'max'")
    parser.add_argument("--start", default="2014-01-01T00:00Z", help="where the record begins")
    parser.add_argument(
        "--restart", action="store_true", help="forget what was lived through and begin anew"
    )
    parser.set_defaults(run=_demo)


def _demo(args: argparse.Namespace) -> None:
    folder: Path = args.folder
    if args.restart:
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as ending:
        port = _free_port()
        broker = ending.enter_context(
            _child(
                "broker",
                folder,
                [
                    "gemeos_plants.broker",
                    "--port",
                    str(port),
                    "--directory",
                    str(folder / "broker"),
                ],
            )
        )
        _wait_for(port, broker, folder)
        path = _written(folder, port, args)
        # Read before the plant starts: a mistake in site.toml should not set anything going.
        settings = declared(path)
        plant = ending.enter_context(
            _child(
                "plant",
                folder,
                [
                    "gemeos_plants.windfarm",
                    *("--broker", f"mqtt://127.0.0.1:{port}"),
                    *("--cursor", str(folder / "plant-cursor.json")),
                    *("--speed", args.speed),
                    *("--start", args.start),
                ],
            )
        )

        def alive() -> None:
            for name, child in (("broker", broker), ("plant", plant)):
                code = child.poll()
                # The plant ends by itself, with 0, when the site has all of its record.
                if code is not None and not (child is plant and code == 0):
                    raise LinkError(
                        f"The demo's {name} ended with code {code}; see {folder / name}.log."
                    )

        run_site(settings, alive=alive)


def _written(folder: Path, broker_port: int, args: argparse.Namespace) -> Path:
    """The demo's site.toml, with this start's ports in it."""
    template = resources.files("gemeos.twins.windfarm").joinpath("demo_site.toml")
    speed = "0" if args.speed == "max" else args.speed
    text = (
        template.read_text(encoding="utf-8")
        .replace("@BROKER@", f"mqtt://127.0.0.1:{broker_port}")
        .replace("@PORT@", str(args.port))
        .replace("@SPEED@", speed)
        .replace("@SPEED_TOLD@", "as fast as it goes" if speed == "0" else f"x{speed}")
        .replace("@START@", args.start)
        .replace("@DAY@", args.start[:10])
    )
    path = folder / "site.toml"
    path.write_text(text, encoding="utf-8")
    return path


@contextmanager
def _child(name: str, folder: Path, module: Sequence[str]) -> Iterator[subprocess.Popen[bytes]]:
    """A process of our own making, ended with the block; its output is in a file."""
    with (folder / f"{name}.log").open("wb") as log:
        # A session of its own: Ctrl-C in the terminal reaches us, and we end it in our order.
        process = subprocess.Popen(  # noqa: S603 -- our own interpreter and modules
            [sys.executable, "-m", *module, "--parent", str(os.getpid())],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_for(port: int, broker: subprocess.Popen[bytes], folder: Path) -> None:
    until = time.monotonic() + START_S
    while time.monotonic() < until:
        if broker.poll() is not None:
            said = (folder / "broker.log").read_text(encoding="utf-8", errors="replace").strip()
            raise SettingsError(f"The demo's broker did not start: {said or 'it said nothing'}")
        with socket.socket() as probe:
            probe.settimeout(1)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(LOOK_EVERY_S)
    raise LinkError(f"The demo's broker did not answer within {START_S:g} s; see its log.")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
