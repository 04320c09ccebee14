"""Children that do not outlive whoever started them."""

from __future__ import annotations

import time
from typing import Final

import psutil

_EVERY_S: Final = 0.5


class Parent:
    """The process that this one must not outlive; without one, this one lives on by itself."""

    def __init__(self, pid: int | None) -> None:
        """Watch the process ``pid``; one that is gone already counts as gone."""
        self._process: psutil.Process | None = None
        self._gone = False
        self._next = 0.0
        if pid is not None:
            try:
                self._process = psutil.Process(pid)
            except psutil.NoSuchProcess:
                self._gone = True

    @property
    def gone(self) -> bool:
        """Whether it has ended. Looked up twice a second at most, however often it is asked."""
        now = time.monotonic()
        if self._process is not None and not self._gone and now >= self._next:
            self._next = now + _EVERY_S
            try:
                # is_running compares the start time too: the number may have been given again.
                alive = self._process.is_running()
                self._gone = not alive or self._process.status() == psutil.STATUS_ZOMBIE
            except psutil.NoSuchProcess:
                self._gone = True
        return self._gone
