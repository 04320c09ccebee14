"""Processes that a demo or a validation starts beside itself: modules of ``gemeos_plants``."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from gemeos.errors import LinkError

START_S: Final = 20.0
STOP_S: Final = 10.0
_LOOK_EVERY_S: Final = 0.05


def free_port() -> int:
    """A port of this computer that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def child(name: str, folder: Path, module: Sequence[str]) -> Iterator[subprocess.Popen[bytes]]:
    """A process of our own interpreter, ended with the block.

    Args:
        name: Its output goes to ``NAME.log``.
        folder: Where that is.
        module: What is run, and its arguments; ``--parent`` is added, so that it ends with us.
    """
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


@contextmanager
def broker(folder: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """A broker that answers on that port, ended with the block.

    Raises:
        LinkError: it ended, or did not answer in time.
    """
    module = (
        *("gemeos_plants.broker", "--port", str(port)),
        *("--directory", str(folder / "broker")),
    )
    with child("broker", folder, module) as process:
        _answering(port, process, folder / "broker.log")
        yield process


def _answering(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + START_S
    while time.monotonic() < until:
        if process.poll() is not None:
            said = log.read_text(encoding="utf-8", errors="replace").strip()
            raise LinkError(f"The broker did not start: {said or 'it said nothing'}")
        with socket.socket() as probe:
            probe.settimeout(1)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(_LOOK_EVERY_S)
    raise LinkError(f"The broker did not answer within {START_S:g} s; see {log}.")
