"""The process that an engine lives in: one simulation, one thread, one socket.

Started by ``worker.Worker``. Foreign code has standard output and error to itself: both go to a
pipe that the keeper reads. Nothing is ever asked of this process but the frames' requests.
"""

from __future__ import annotations

import ctypes
import faulthandler
import gc
import importlib
import os
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NoReturn, assert_never, final

from gemeos.engines import frames
from gemeos.engines.inside import Inside, NudgeInside
from gemeos.engines.lifeline import die_with
from gemeos.engines.rows import moved

TASKS: Final = Path("/proc/self/task")
_SET_CHILD_SUBREAPER: Final = 36


def main(control: int, lifeline: int) -> NoReturn:
    """Serve until the keeper lets go of the socket.

    Args:
        control: Descriptor of the socket.
        lifeline: Descriptor of a pipe whose other end only the keeper holds.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C is for the keeper to decide about
    faulthandler.enable()
    _Server(control, lifeline).serve()


@final
class _Server:
    def __init__(self, control: int, lifeline: int) -> None:
        self._inside: Inside | None = None
        self._forks: list[int] = []
        self._has_begun = False
        self._adopts = False
        self._listen(control, lifeline)

    def _listen(self, control: int, lifeline: int) -> None:
        self._socket = socket.socket(fileno=control)
        self._frames = frames.Frames()
        self._lifeline = lifeline
        die_with(lifeline)

    def serve(self) -> NoReturn:
        while (came := frames.received(self._socket, self._frames)) is not None:
            request, fds = came
            self._reap()
            self._has_begun |= isinstance(request, (frames.Begin, frames.Restore))
            try:
                answer = self._answered(request, fds)
            except Exception as error:  # noqa: BLE001 - the boundary to foreign code
                answer = frames.Cannot(told(error))
            _flush()
            self._socket.sendall(frames.framed(answer))
        self._reap()  # not every container has somebody who does it for orphans
        try:
            if self._inside is not None:
                self._inside.end()
            _flush()
        finally:
            os._exit(0)  # foreign libraries may hang or crash in their finalizers

    def _answered(self, request: frames.Request, fds: Sequence[int]) -> frames.Answer:  # noqa: C901, PLR0911, PLR0912 - a match of all requests
        match request:
            case frames.Open(factory, settings):
                self._inside = _made(factory, settings)
                return frames.Done()
            case frames.Double():
                return self._double(*fds)
            case _ if self._inside is None:
                raise RuntimeError("nothing is open")
        inside: Inside = self._inside
        match request:
            case frames.Describe():
                spec = inside.describe()
                return frames.Described(
                    spec.name, spec.version, spec.step, spec.variables, spec.capabilities
                )
            case frames.Begin(params, seed):
                inside.begin(params, seed)
            case frames.Set(values):
                inside.set(values)
            case frames.Advance(elapsed):
                inside.advance(elapsed)
            case frames.Get(names):
                return frames.Read(inside.get(names))
            case frames.Nudge(values):
                _nudging(inside).nudge(values)
            case frames.Move():
                return moved(inside, request, told)
            case frames.Keep():
                return frames.Kept(inside.snapshot())
            case frames.Restore(kept, elapsed):
                inside.restore(kept, elapsed)
            case _:
                assert_never(request)
        return frames.Done()

    def _double(self, control: int, chatter: int, lifeline: int) -> frames.Answer:
        """Fork. Answers twice: here with the pid, and on the new socket as the new process."""
        if not (self._has_begun or self._adopts):
            self._adopts = _adopt()
        try:
            pid = self._fork()
        except BaseException:
            _close(control, chatter, lifeline)
            raise
        if pid:
            _close(control, chatter, lifeline)
            if not self._adopts:
                self._forks.append(pid)
            return frames.Doubled(pid)
        if self._adopts:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # foreign code may wait for its own
            self._adopts = False
        os.setsid()
        os.dup2(chatter, 1)
        os.dup2(chatter, 2)
        _close(chatter, self._lifeline)
        self._socket.close()
        self._forks = []
        self._listen(control, lifeline)
        return frames.Done()

    def _fork(self) -> int:
        if threads() > 1:
            # Only the forking thread lives on in the copy; what the others held stays locked.
            raise RuntimeError(f"{threads()} threads run in the engine: it cannot be forked")
        _flush()
        gc.freeze()  # what is shared stays shared: the collector would write to every page
        pid = 0
        try:
            pid = os.fork()
        finally:
            if pid:
                gc.unfreeze()
        return pid

    def _reap(self) -> None:
        """Let the system forget forks that have ended."""
        self._forks = [pid for pid in self._forks if os.waitpid(pid, os.WNOHANG) == (0, 0)]


def _close(*fds: int) -> None:
    for fd in fds:
        os.close(fd)


def _adopt() -> bool:
    """Be the parent of what comes from this process once its own parent has ended, and forget it.

    Simulations outlive those that they were forked from. Not every container has somebody who
    waits for orphans: of a twin that is forked every minute thousands would be left a day.
    """
    if not sys.platform.startswith("linux"):
        return False
    if ctypes.CDLL(None).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        return False
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    return True


def threads() -> int:
    """How many threads run in this process, those of foreign code among them where it is told."""
    try:
        return sum(1 for _ in TASKS.iterdir())
    except OSError:
        return threading.active_count()


def _made(factory: str, settings: bytes) -> Inside:
    module, _, name = factory.partition(":")
    make: Callable[[bytes], Inside] = getattr(importlib.import_module(module), name)
    return make(settings)


def _flush() -> None:
    """Hand on what Python and C have buffered, so that it is told with the call it belongs to."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):  # foreign code has closed it
            continue
    ctypes.CDLL(None).fflush(None)


def _nudging(inside: Inside) -> NudgeInside:
    if not isinstance(inside, NudgeInside):
        raise TypeError(f"{type(inside).__name__} declares what it has no nudge for")
    return inside


def told(error: Exception) -> str:
    """What was raised, and where."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{Path(frame.filename).name}:{frame.lineno}"
    return f"{type(error).__name__}: {error} ({place} in {frame.name})"
