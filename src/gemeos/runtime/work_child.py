"""The process that runs batches of forks for a site: one at a time, giving way to all else.

Started by ``work_process.WorkProcess``. It keeps the models that it was given, and nothing else:
what it answers is a function of what it was asked.
"""

from __future__ import annotations

import os
import signal
import socket
import time
from typing import Final, NoReturn, final

import numpy as np

from gemeos.engines.lifeline import die_with
from gemeos.foresee.executor import Batch, InProcess
from gemeos.foresee.fork import Played
from gemeos.runtime import wire
from gemeos.runtime.carried import CarriedModel, stepper_of
from gemeos.simulate.advance import Stepper

REPORT_S: Final = 0.05
"""How often it says how far it is, and waits to hear whether it shall go on."""


def main(control: int, lifeline: int) -> NoReturn:
    """Serve until the site lets go of the socket.

    Args:
        control: Descriptor of the socket.
        lifeline: Descriptor of a pipe whose other end only the site holds.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C is for the site to decide about
    die_with(lifeline)
    server = _Server(socket.socket(fileno=control))
    try:
        server.serve()
    except (EOFError, OSError):  # the site is gone
        os._exit(0)


class _StoppedError(Exception):
    """It shall not go on."""


@final
class _Server:
    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._models: dict[str, Stepper] = {}
        self._executor = InProcess()
        self._reported = 0.0

    def serve(self) -> NoReturn:
        wire.send(self._socket, ("ready",))
        while True:
            asked = wire.receive(self._socket)
            try:
                self._answer(asked)
            except _StoppedError:
                wire.send(self._socket, ("stopped",))
            except (EOFError, OSError):
                raise
            except Exception as error:  # noqa: BLE001 -- the boundary to whoever asks
                out_of_memory = isinstance(error, MemoryError)
                told = f"{type(error).__name__}: {error}"
                wire.send(self._socket, ("cannot", told, out_of_memory))

    def _answer(self, asked: object) -> None:
        match asked:
            case ("model", str() as identity, bool() as is_compiled, bytes() as body, kernels) if (
                kernels is None or isinstance(kernels, str)
            ):
                model = CarriedModel(identity, is_compiled, body, kernels)
                self._models[identity] = stepper_of(model)
                wire.send(self._socket, ("made",))
            case ("batch", str() as identity, Batch() as batch):
                self._reported = time.monotonic()
                played = self._executor.played(self._models[identity], batch, self._watch)
                self._tell(played)
            case _:
                raise ValueError("nothing that can be done")

    def _watch(self, tick: int) -> None:
        if time.monotonic() - self._reported < REPORT_S:
            return
        wire.send(self._socket, ("at", tick))
        if wire.receive(self._socket) != ("go",):
            raise _StoppedError
        self._reported = time.monotonic()

    def _tell(self, played: Played) -> None:
        values = np.ascontiguousarray(played.values)
        told = ("played", played.ticks, played.failures, played.failed)
        wire.send(self._socket, (*told, values.dtype.str, values.shape))
        # Not as a value: what is large is copied nowhere.
        self._socket.sendall(values.reshape(-1).view(np.uint8).data)
