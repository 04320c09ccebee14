"""A broker of one's own on loopback, for a demo and for tests: ``start_broker``.

``iotcore`` (rumqttd in a wheel) where it is installed and runs, else an installed mosquitto.
Neither outlives the process that started it, however that ends: each has, directly or through a
watcher, a pipe from it, and stops when the pipe closes.

rumqttd keeps everything in memory; mosquitto is told to save after each change, but a message it
has acknowledged can still be lost when it is killed. So nothing may rely on a broker's
acknowledgement alone: the plant waits for the site's notice.
"""

from __future__ import annotations

import argparse
import importlib.util
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import psutil

from gemeos_plants.parent import Parent

logger = logging.getLogger(__name__)

LARGEST_PAYLOAD: Final = 8 * 1024 * 1024
"""Bytes; iotcore's own limit is 20 KiB, less than a batch of readings. Mosquitto has none."""
_HOST: Final = "127.0.0.1"
_MODULE: Final = "gemeos_plants.broker"
# Children have a session of their own: Ctrl-C in the terminal is for the starter alone, which ends
# its clients before the broker.
_READY_WITHIN_S: Final = 15.0
_ENDS_WITHIN_S: Final = 5.0
# The commit of a batch may take a while: with iotcore's own limit of 100 unacknowledged messages a
# subscriber that acknowledges only what is durable would be fed 100 messages a commit.
_IN_FLIGHT: Final = 20_000


@dataclass(slots=True)
class Broker:
    """A running broker; leaving its ``with`` block, or ``close``, ends it."""

    kind: str
    """``iotcore`` or ``mosquitto``."""
    port: int
    process: subprocess.Popen[bytes] = field(repr=False)
    watcher: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        """Address for clients."""
        return f"mqtt://{_HOST}:{self.port}"

    @property
    def pid(self) -> int:
        """Number of the process that is the broker itself."""
        return self.process.pid

    def close(self) -> None:
        """End it and what watches it; calling it twice does no harm."""
        for child in (self.process, self.watcher):
            if child is None:
                continue
            if child.poll() is None:
                child.terminate()
                try:
                    child.wait(_ENDS_WITHIN_S)
                except subprocess.TimeoutExpired:
                    child.kill()
                    child.wait(_ENDS_WITHIN_S)
            if child.stdin is not None:
                child.stdin.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def start_broker(port: int | None, directory: Path) -> Broker:
    """Start a broker on loopback and wait until it answers.

    Args:
        port: Where it listens; None for any free port.
        directory: For its files; made if it is not there.

    Raises:
        RuntimeError: there is neither broker, or what there is did not come up.
    """
    directory.mkdir(parents=True, exist_ok=True)
    chosen = _free_port() if port is None else port
    if _answers(chosen):
        raise RuntimeError(f"Something answers already at {_HOST}:{chosen}: name another port.")
    troubles: list[str] = []
    if importlib.util.find_spec("iotcore") is None:
        troubles.append("the package iotcore is not installed (pip install 'gemeos[demo]')")
    else:
        try:
            return _ready(_iotcore(chosen))
        except RuntimeError as error:
            troubles.append(str(error))
    program = _mosquitto_program()
    if program is None:
        troubles.append("there is no mosquitto on the path nor in /usr/sbin")
    else:
        try:
            return _ready(_mosquitto(program, chosen, directory))
        except RuntimeError as error:
            troubles.append(str(error))
    raise RuntimeError(
        f"No MQTT broker could be started: {'; '.join(troubles)}. "
        "Install one of them, or name a broker that runs elsewhere."
    )


def start_mosquitto(port: int | None, directory: Path) -> Broker:
    """Start mosquitto even where iotcore is installed.

    Raises:
        RuntimeError: it is not installed, or did not come up.
    """
    program = _mosquitto_program()
    if program is None:
        raise RuntimeError("There is no mosquitto on the path nor in /usr/sbin.")
    directory.mkdir(parents=True, exist_ok=True)
    chosen = _free_port() if port is None else port
    return _ready(_mosquitto(program, chosen, directory))


def _iotcore(port: int) -> Broker:
    # Not iotcore.Broker: the number of its process is private.
    process = subprocess.Popen(  # noqa: S603 -- ourselves
        [sys.executable, "-m", _MODULE, "--serve-iotcore", str(port)],
        stdin=subprocess.PIPE,
        start_new_session=True,
    )
    return Broker(kind="iotcore", port=port, process=process)


def _mosquitto_program() -> str | None:
    usual = "/usr/sbin/mosquitto"
    return shutil.which("mosquitto") or (usual if os.access(usual, os.X_OK) else None)


def _mosquitto(program: str, port: int, directory: Path) -> Broker:
    settings = directory / "mosquitto.conf"
    lines = [
        f"listener {port} {_HOST}",
        "allow_anonymous true",
        # Its defaults drop what an absent client has not fetched, and stall a site that
        # acknowledges in batches of more than 20.
        "max_queued_messages 0",
        "max_inflight_messages 0",
        "persistence true",
        f"persistence_location {directory.resolve()}{os.sep}",
        "autosave_on_changes true",
        # Changes between two saves of everything; at 1 it does little else.
        "autosave_interval 100",
        "log_dest stderr",
        "log_type error",
    ]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        # It would otherwise become its own user, who may not write into the directory.
        lines.append("user root")
    settings.write_text("\n".join(lines) + "\n", encoding="utf-8")
    process = subprocess.Popen(  # noqa: S603 -- the program found above
        [program, "-c", str(settings)], stdin=subprocess.DEVNULL, start_new_session=True
    )
    watcher = subprocess.Popen(  # noqa: S603 -- ourselves
        [sys.executable, "-m", _MODULE, "--watch", str(process.pid)],
        stdin=subprocess.PIPE,
        start_new_session=True,
    )
    return Broker(kind="mosquitto", port=port, process=process, watcher=watcher)


def _ready(broker: Broker) -> Broker:
    deadline = time.monotonic() + _READY_WITHIN_S
    while time.monotonic() < deadline:
        code = broker.process.poll()
        if code is not None:
            broker.close()
            raise RuntimeError(f"{broker.kind} ended with code {code} while it started")
        if _answers(broker.port):
            return broker
        time.sleep(0.05)
    broker.close()
    raise RuntimeError(f"{broker.kind} did not answer within {_READY_WITHIN_S:.0f} s")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        return int(probe.getsockname()[1])


def _answers(port: int) -> bool:
    try:
        with socket.create_connection((_HOST, port), timeout=0.5):
            return True
    except OSError:
        return False


def _serve_iotcore(port: int) -> None:
    """Be the broker until the pipe from our starter closes."""
    from iotcore import IotCoreBroker  # noqa: PLC0415 -- only this child needs it

    def end_with_the_pipe() -> None:
        sys.stdin.buffer.read()
        # It has no way to shut down, and keeps nothing that would have to be saved.
        os._exit(0)

    # It reports every packet as an error otherwise.
    logging.getLogger("rumqttd").setLevel(logging.CRITICAL)
    threading.Thread(target=end_with_the_pipe, daemon=True).start()
    IotCoreBroker(
        listen=_HOST,
        port=port,
        max_payload_size=LARGEST_PAYLOAD,
        max_inflight_count=_IN_FLIGHT,
    ).run_forever()


def _watch(pid: int) -> None:
    """End the process ``pid`` when the pipe from our starter closes."""
    try:
        watched = psutil.Process(pid)
        sys.stdin.buffer.read()
        watched.terminate()
    except psutil.NoSuchProcess:
        return


def main() -> int:
    """Run a broker until asked to stop; the exit code is 1 where none could be started."""
    parser = argparse.ArgumentParser(
        prog="python -m gemeos_plants.broker", description="An MQTT broker on loopback."
    )
    parser.add_argument("--port", type=int, default=1883)
    parser.add_argument("--directory", type=Path, default=Path("broker"), help="for its files")
    parser.add_argument("--parent", type=int, help="process that this one must not outlive")
    parser.add_argument("--serve-iotcore", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--watch", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve_iotcore is not None:
        _serve_iotcore(arguments.serve_iotcore)
        return 0
    if arguments.watch is not None:
        _watch(arguments.watch)
        return 0
    logging.basicConfig(level=logging.INFO, format="broker: %(message)s")
    asked = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: asked.set())
    parent = Parent(arguments.parent)
    try:
        broker = start_broker(arguments.port, arguments.directory)
    except RuntimeError as error:
        logger.error("%s", error)  # noqa: TRY400 -- one sentence for a person, no traceback
        return 1
    with broker:
        logger.info("%s listens at %s (process %d).", broker.kind, broker.url, broker.pid)
        while not asked.wait(0.25) and not parent.gone:
            if broker.process.poll() is not None:
                logger.error("%s has ended with code %s.", broker.kind, broker.process.returncode)
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
