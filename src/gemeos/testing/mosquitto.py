"""A real broker for tests: mosquitto as a child process on loopback."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

_CONFIG = """\
listener {port} 127.0.0.1
max_queued_messages 0
max_inflight_messages 0
persistence {persistence}
log_dest none
"""
_PATIENCE = 10.0


def program() -> str | None:
    """Where mosquitto is installed; None where it is not."""
    return shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")


class Mosquitto:
    """A broker in ``folder``. Started when entered, ended when left; it can be ended in between."""

    def __init__(
        self,
        folder: Path,
        *,
        extra: Sequence[str] = ("allow_anonymous true",),
        persistence: bool = False,
    ) -> None:
        """``extra`` are more lines of its configuration."""
        self.folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        text = _CONFIG.format(port=self.port, persistence=str(persistence).lower())
        lines = [text, *(f"{line}\n" for line in extra)]
        if os.geteuid() == 0:
            # Else it becomes a user who may not read a test's folder.
            lines.append("user root\n")
        if persistence:
            lines += [f"persistence_location {folder}/\n", "autosave_interval 1\n"]
            lines += ["autosave_on_changes true\n"]
        self._config = folder / "mosquitto.conf"
        self._config.write_text("".join(lines))
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it on its port and wait until it answers.

        Raises:
            RuntimeError: it does not.
        """
        found = program()
        if found is None:
            raise RuntimeError("mosquitto is not installed.")
        self._process = subprocess.Popen(  # noqa: S603  the program was found above
            [found, "-c", str(self._config)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise RuntimeError(f"mosquitto ended at once; its settings: {self._config}")
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                time.sleep(0.02)
            else:
                return
        self.stop()
        raise RuntimeError(f"mosquitto does not answer at port {self.port}.")

    def stop(self, *, kill: bool = False) -> None:
        """End it: by a signal that it obeys, or at once."""
        process, self._process = self._process, None
        if process is not None:
            if kill:
                process.kill()
            else:
                process.terminate()
            process.wait(_PATIENCE)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()
