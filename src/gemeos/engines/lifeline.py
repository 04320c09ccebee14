"""How a process that was started for another one ends with it, whatever either of them does."""

from __future__ import annotations

import os
import select
import signal
import sys


def die_with(lifeline: int) -> None:
    """Have the system kill this process when the other's end of ``lifeline`` closes.

    A process that waits in foreign code does not see that its socket was closed. Linux alone
    can signal the end of a pipe; elsewhere an orphan lives until its call returns.
    """
    if not sys.platform.startswith("linux"):
        return
    import fcntl  # noqa: PLC0415 - not there on every system

    fcntl.fcntl(lifeline, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(lifeline, fcntl.F_SETSIG, signal.SIGKILL)
    flags = fcntl.fcntl(lifeline, fcntl.F_GETFL)
    fcntl.fcntl(lifeline, fcntl.F_SETFL, flags | fcntl.FASYNC)
    watched = select.poll()
    watched.register(lifeline, select.POLLIN)
    if watched.poll(0):  # it closed before anybody was told
        os._exit(1)
