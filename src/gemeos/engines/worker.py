"""One process in which foreign code runs, seen from outside: asked, waited for, killed.

Every wait has an end. What the process prints is caught and bounded. It dies with this one.
Needs POSIX: sockets that carry descriptors.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, final

import msgspec

from gemeos.engines import frames
from gemeos.engines.outcome import Crashed, Failed, TimedOut
from gemeos.units.instant import SECOND, Span

MOST_SAID: Final = 8192
"""Bytes of chatter kept of one call: the last ones."""
GRACE: Final = 1.0
"""Seconds that a process is given to end by itself."""
_PROGRAM: Final = """
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from gemeos.engines.child import main
main(int(sys.argv[2]), int(sys.argv[3]))
"""
_ONE_THREAD: Final = {
    # A process with threads cannot be forked, and numpy's mathematics library starts some.
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}


@dataclass(frozen=True, slots=True)
class Reply:
    """What a process answered."""

    answer: frames.Answer
    said: str


@final
class Worker:
    """A process of ``child.py``. Not for two threads at a time.

    After ``Crashed`` and ``TimedOut`` the process is gone and the worker closed.
    """

    def __init__(
        self,
        control: socket.socket,
        chatter: int,
        lifeline: int,
        pid: int,
        child: subprocess.Popen[bytes] | None,
    ) -> None:
        self.pid = pid
        self._control = control
        self._chatter = chatter
        self._lifeline = lifeline
        self._child = child
        """None for a fork, which is the child of another."""
        self._ended = _pidfd(pid)
        """Readable once the process has ended, and cannot come to mean another one."""
        self._frames = frames.Frames()
        self._said = bytearray()
        self._open = True
        self._poll = select.poll()
        self._read = select.POLLIN | select.POLLHUP | select.POLLERR
        control.settimeout(0)
        os.set_blocking(chatter, False)
        self._poll.register(control, self._read)
        self._poll.register(chatter, select.POLLIN)

    @classmethod
    def spawned(cls) -> Worker:
        """A new process, in which nothing is open yet."""
        ours, theirs, ends = _ends()
        control, chatter, lifeline = ends
        program = (sys.executable, "-P", "-c", _PROGRAM, json.dumps(sys.path))
        try:
            child = subprocess.Popen(  # noqa: S603 - our own program
                [*program, str(control), str(lifeline)],
                stdin=subprocess.DEVNULL,
                stdout=chatter,
                stderr=chatter,
                pass_fds=(control, lifeline),
                env={**os.environ, **_ONE_THREAD},  # noqa: TID251 - handed on, not read
                start_new_session=True,
            )
        finally:
            theirs.close()
            os.close(chatter)
            os.close(lifeline)
        return cls(*ours, child.pid, child)

    def ask(
        self, request: frames.Request, limit: Span, fds: Sequence[int] = ()
    ) -> Reply | Crashed | TimedOut:
        """What the process answers within ``limit``."""
        if not self._open:
            return Crashed(None)
        self._said.clear()
        deadline = time.monotonic() + limit / SECOND
        try:
            self._send(frames.framed(request), fds, deadline)
            body = self._received(deadline)
            answer = frames.answers.decode(body)
        except TimeoutError:
            self._kill()
            return TimedOut(limit, self._words())
        except (OSError, EOFError, ValueError, msgspec.DecodeError):
            return self._buried()
        except BaseException:
            self._kill()  # interrupted: the answer would come to the next question
            raise
        self._hear()
        return Reply(answer, self._words())

    def forked(self, limit: Span) -> Worker | Crashed | TimedOut | Failed:
        """A copy of the process, with all that is in it.

        ``Failed`` if there is none, for threads or for want of memory; the process itself goes on.
        """
        ours, theirs, ends = _ends()
        try:
            reply = self.ask(frames.Double(), limit, ends)
        finally:
            theirs.close()
            for fd in ends[1:]:
                os.close(fd)
        if isinstance(reply, Reply) and isinstance(reply.answer, frames.Doubled):
            copy = Worker(*ours, reply.answer.pid, None)
            ended = copy.hello(limit)
            return copy if ended is None else Failed(f"its copy {ended}")
        _close_all(*ours)
        if isinstance(reply, Reply):
            why = reply.answer.why if isinstance(reply.answer, frames.Cannot) else "no fork"
            return Failed(why, reply.said)
        return reply

    def hello(self, limit: Span) -> Crashed | TimedOut | None:
        """Wait for a fork's first word: from then on it has its own socket and lifeline."""
        try:
            self._received(time.monotonic() + limit / SECOND)
        except TimeoutError:
            self._kill()
            return TimedOut(limit, self._words())
        except (OSError, EOFError, ValueError):
            return self._buried()
        return None

    def interrupt(self) -> None:
        """Have a call that is under way on another thread end soon, as if the process had crashed.

        Where none is, the next one does.
        """
        with contextlib.suppress(OSError):  # it is gone already
            self._control.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Let the process end by itself, and kill it if it does not. Twice does nothing."""
        if self._open:
            with contextlib.suppress(OSError):  # it is gone already
                self._control.shutdown(socket.SHUT_WR)
            self._wait_for_end(GRACE)
            self._kill()

    def _send(self, frame: bytes, fds: Sequence[int], deadline: float) -> None:
        rest = memoryview(frame)
        if fds:
            rest = rest[socket.send_fds(self._control, [rest], list(fds)) :]
        self._poll.modify(self._control, self._read | select.POLLOUT)
        try:
            while rest:
                events = self._wait(deadline)
                if events & (select.POLLHUP | select.POLLERR):
                    raise EOFError
                if events & select.POLLOUT:
                    rest = rest[self._control.send(rest) :]
        finally:
            self._poll.modify(self._control, self._read)

    def _received(self, deadline: float) -> bytes:
        while (body := self._frames.whole()) is None:
            if self._wait(deadline) & self._read:
                chunk = self._control.recv(1 << 16)
                if not chunk:
                    raise EOFError
                self._frames.feed(chunk)
        return body

    def _wait(self, deadline: float) -> int:
        """Events of the socket; what is said meanwhile is heard, so that nobody waits for us."""
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            control = 0
            for fd, events in self._poll.poll(left * 1000):
                if fd == self._chatter:
                    self._hear()
                else:
                    control = events
            if control:
                return control

    def _hear(self) -> None:
        try:
            while chunk := os.read(self._chatter, 1 << 16):
                self._said += chunk
                del self._said[:-MOST_SAID]
            self._poll.unregister(self._chatter)  # closed: it would be ready for ever
        except (BlockingIOError, KeyError):
            return

    def _words(self) -> str:
        return self._said.decode("utf-8", "replace")

    def _buried(self) -> Crashed:
        """The process closed its socket or spoke nonsense: wait for its end, or make one."""
        self._wait_for_end(GRACE)
        self._hear()
        return Crashed(self._kill(), self._words())

    def _wait_for_end(self, longest: float) -> None:
        if self._child is not None:
            try:
                self._child.wait(longest)
            except subprocess.TimeoutExpired:
                return
        elif self._ended is not None:
            ended = select.poll()  # select itself knows no descriptor beyond 1023
            ended.register(self._ended, select.POLLIN)
            ended.poll(longest * 1000)

    def _kill(self) -> int | None:
        """Kill what is left, let go of everything. The exit code, where it is told."""
        self._open = False
        if self._child is not None:
            self._child.kill()  # does nothing once it has been waited for
            code: int | None = self._child.wait()
        else:
            code = None
            _kill_fork(self.pid, self._ended)
        self._hear()
        _close_all(self._control, self._chatter, self._lifeline)
        if self._ended is not None:
            os.close(self._ended)
        return code


_Ours = tuple[socket.socket, int, int]


def _ends() -> tuple[_Ours, socket.socket, tuple[int, int, int]]:
    """Our ends, the other socket, and the three descriptors that the new process is given."""
    control, theirs = socket.socketpair()
    heard, said = os.pipe()
    watched, held = os.pipe()
    return (control, heard, held), theirs, (theirs.fileno(), said, watched)


def _close_all(control: socket.socket, *fds: int) -> None:
    control.close()
    for fd in fds:
        os.close(fd)


def _pidfd(pid: int) -> int | None:
    if sys.platform != "linux":
        return None
    try:
        return os.pidfd_open(pid)
    except OSError:
        return None


def _kill_fork(pid: int, ended: int | None) -> None:
    try:
        if sys.platform == "linux" and ended is not None:
            signal.pidfd_send_signal(ended, signal.SIGKILL)
        else:
            os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
