"""One process that runs batches of forks, seen from the site: asked, waited for, killed.

It shares neither the site's interpreter nor its lock, and the system lets it give way to all else.
It dies with the site. Needs POSIX, as processes of engines do.
"""

from __future__ import annotations

import json
import os
import select
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Final, final

import numpy as np

from gemeos.errors import WorkerError
from gemeos.foresee.executor import Batch
from gemeos.foresee.fork import Played, Watch
from gemeos.runtime import wire
from gemeos.runtime.carried import CarriedModel

NICENESS: Final = 10
"""Of 0 to 19: the scheduler gives it a tenth of what one of niceness 0 gets beside it."""
START_S: Final = 3.0
"""How long a start is waited for; it takes a second where the machine is not busy otherwise."""
LOOK_MS: Final = 100
"""How often whoever waits looks whether it is still wanted."""
_PROGRAM: Final = """
import json, os, sys
os.nice(int(sys.argv[4]))
sys.path[:] = json.loads(sys.argv[1])
from gemeos.runtime.work_child import main
main(int(sys.argv[2]), int(sys.argv[3]))
"""


@dataclass(frozen=True, slots=True)
class Gone:
    """The process ended."""

    code: int
    """Exit code; negative for the signal that killed it."""
    is_begun: bool
    """Whether it ever was ready."""


@dataclass(frozen=True, slots=True)
class NotYet:
    """The process is still starting."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The process could not do it, and goes on."""

    why: str
    out_of_memory: bool


@final
class WorkProcess:
    """A process of ``work_child``. For one thread at a time; after ``Gone`` it is closed."""

    def __init__(self, start_s: float = START_S) -> None:
        """Start it; it is waited for when it is first asked, for ``start_s`` from now at most.

        Raises:
            OSError: there is none to be had.
        """
        self._socket, theirs = socket.socketpair()
        watched, self._lifeline = os.pipe()
        program = (sys.executable, "-P", "-c", _PROGRAM, json.dumps(sys.path))
        try:
            # Of the same session: the system may share out its time by sessions first, and then
            # one of its own would give way to nothing.
            self._child = subprocess.Popen(  # noqa: S603 -- our own program
                [*program, str(theirs.fileno()), str(watched), str(NICENESS)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(), watched),
            )
        except BaseException:
            self._socket.close()
            os.close(self._lifeline)
            raise
        finally:
            theirs.close()
            os.close(watched)
        self._poll = select.poll()
        self._poll.register(self._socket, select.POLLIN)
        self._models: set[str] = set()
        self._is_ready = False
        self._ready_by = time.monotonic() + start_s
        self._stands = False
        """Whether it waits for what it is asked next."""
        self._is_closed = False

    @property
    def pid(self) -> int:
        """Its number."""
        return self._child.pid

    def played(
        self, model: CarriedModel, batch: Batch, watch: Watch
    ) -> Played | NotYet | Refused | Gone:
        """See ``foresee.executor.Executor.played``."""
        try:
            return self._played(model, batch, watch)
        except (EOFError, OSError):
            return Gone(self.close(), self._is_ready)
        except BaseException:
            if not self._stands:
                self.close()  # it is in the middle of something that nobody wants any more
            raise

    def _played(self, model: CarriedModel, batch: Batch, watch: Watch) -> Played | NotYet | Refused:
        if not self._comes_up(watch, batch.start):
            return NotYet()
        self._stands = False
        if model.identity not in self._models:
            given = (model.identity, model.is_compiled, model.packed, model.kernels)
            wire.send(self._socket, ("model", *given))
            told = wire.receive(self._socket, lambda: self._wait(watch, batch.start))
            if told != ("made",):
                return self._refused(told)
            self._models.add(model.identity)
        try:
            wire.send(self._socket, ("batch", model.identity, batch))
        except WorkerError as error:
            self._stands = True
            return Refused(str(error), out_of_memory=False)
        return self._heard(batch.start, watch)

    def _heard(self, at: int, watch: Watch) -> Played | Refused:
        """What comes of the batch that it was given."""

        def wanted() -> None:
            self._wait(watch, at)

        while True:
            match wire.receive(self._socket, wanted):
                case ("at", int() as tick):
                    at = tick
                    self._go_on(watch, tick)
                case (
                    "played",
                    np.ndarray() as ticks,
                    tuple() as failures,
                    np.ndarray() as failed,
                    str() as kind,
                    tuple() as shape,
                ):
                    values = np.empty(shape, np.dtype(kind))
                    flat = values.reshape(-1).view(np.uint8)
                    wire.fill(self._socket, flat.data, wanted)
                    self._stands = True
                    return Played(ticks, values, failures, failed)
                case told:
                    return self._refused(told)

    def _wait(self, watch: Watch, at: int) -> None:
        while not self._poll.poll(LOOK_MS):
            watch(at)

    def _comes_up(self, watch: Watch, at: int) -> bool:
        """Wait until it is ready; False where that takes too long."""
        self._stands = True  # whoever ends the wait need not end the process
        while not self._is_ready:
            if self._poll.poll(LOOK_MS):
                wire.receive(self._socket)
                self._is_ready = True
            elif time.monotonic() > self._ready_by:
                return False
            else:
                watch(at)
        return True

    def _refused(self, told: object) -> Refused:
        match told:
            case ("cannot", str() as why, bool() as out_of_memory):
                self._stands = True
                return Refused(why, out_of_memory)
            case _:
                raise EOFError  # nobody that can be talked to

    def _go_on(self, watch: Watch, tick: int) -> None:
        try:
            watch(tick)
        except Exception:
            # It stands and waits: it need not be killed to be of use again.
            wire.send(self._socket, ("stop",))
            self._stands = wire.receive(self._socket) == ("stopped",)
            raise
        wire.send(self._socket, ("go",))

    @property
    def is_open(self) -> bool:
        """Whether it can be asked."""
        return not self._is_closed and self._child.poll() is None

    def close(self) -> int:
        """End it at once: nothing is lost with it. Twice does nothing. Its exit code."""
        if not self._is_closed:
            self._is_closed = True
            self._child.kill()  # does nothing once it has been waited for
            self._child.wait()
            self._socket.close()
            os.close(self._lifeline)
        return self._child.wait()
