"""Child processes that report a line at a time, and are ended by us."""

from __future__ import annotations

import queue
import subprocess
import sys
import threading
import time
from types import TracebackType
from typing import Self

PATIENCE_S = 60.0
"""Longest wait for a child to say anything; a loaded machine is slow to start one."""


class ChildError(Exception):
    """A child ended, or said nothing in time."""


class Child:
    """``python -m MODULE ARGUMENTS``. Killed, by its own id, when the block is left."""

    def __init__(self, module: str, *arguments: object) -> None:
        """Started when entered."""
        self._command = [sys.executable, "-m", module, *(str(a) for a in arguments)]
        self._process: subprocess.Popen[str] | None = None
        self._lines: queue.Queue[str | None] = queue.Queue()
        self.began = 0.0
        """``time.monotonic`` of its start."""

    def __enter__(self) -> Self:
        self.began = time.monotonic()
        self._process = subprocess.Popen(  # noqa: S603 -- our own module
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        threading.Thread(target=self._read, daemon=True, name="bench-child").start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.kill()

    def _read(self) -> None:
        process = self._process
        if process is not None and process.stdout is not None:
            for line in process.stdout:
                self._lines.put(line.rstrip("\n"))
        self._lines.put(None)

    @property
    def pid(self) -> int:
        """Its id."""
        return 0 if self._process is None else self._process.pid

    def said(self, within_s: float = PATIENCE_S) -> str:
        """Its next line.

        Raises:
            ChildError: it ended, or said nothing in time.
        """
        try:
            line = self._lines.get(timeout=within_s)
        except queue.Empty:
            raise ChildError(f"{self._command[2]} said nothing for {within_s:g} s.") from None
        if line is None:
            self._lines.put(None)
            raise ChildError(f"{self._command[2]} has ended.")
        return line

    def heard(self) -> list[str]:
        """The lines that are there already."""
        lines: list[str] = []
        while True:
            try:
                line = self._lines.get_nowait()
            except queue.Empty:
                return lines
            if line is None:
                raise ChildError(f"{self._command[2]} has ended.")
            lines.append(line)

    def expect(self, word: str, within_s: float = PATIENCE_S) -> list[str]:
        """Pass over lines until one begins with ``word``; the words behind it."""
        end = time.monotonic() + within_s
        while True:
            words = self.said(max(end - time.monotonic(), 0.001)).split()
            if words and words[0] == word:
                return words[1:]

    def tell(self, line: str) -> None:
        """A line on its stdin; one that has ended does not hear it."""
        if self._process is not None and self._process.stdin is not None:
            try:
                self._process.stdin.write(f"{line}\n")
                self._process.stdin.flush()
            except (BrokenPipeError, ValueError):
                return

    def kill(self) -> None:
        """SIGKILL, and wait for it."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait(PATIENCE_S)
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except BrokenPipeError:
                    continue
