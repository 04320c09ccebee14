"""The lock beside a store: one process holds it, and the next one is told which."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import final

from gemeos.errors import StoreHeldError, TimelineError

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

MOST_DIGITS = 20
BYTE_LOCKED = 1 << 20
"""Windows forbids others to read a locked byte: lock one far behind the pid."""


@final
class StoreLock:
    """Held from its making until ``release``, or until the process ends in whatever way.

    The lock is the operating system's, so that no holder that was killed keeps a store shut; the
    pid in the file is only for the message. The file itself stays: whoever removed it could take
    it from under a process that has opened it and is about to lock it.
    """

    def __init__(self, store: Path) -> None:
        """Lock ``store`` by the file ``<store>.lock`` beside it.

        Raises:
            StoreHeldError: another holder, in this process or another, has it.
            TimelineError: the file cannot be made there.
        """
        path = store.with_name(store.name + ".lock")
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise TimelineError(f"The store {store} cannot be opened: {error}.") from error
        try:
            _lock(self._file)
        except OSError:
            holder = _pid(self._file)
            os.close(self._file)
            raise StoreHeldError(str(store), holder) from None
        os.ftruncate(self._file, 0)
        os.write(self._file, str(os.getpid()).encode())
        self._is_held = True

    def release(self) -> None:
        """Let the next one have it. May be called twice."""
        if not self._is_held:
            return
        self._is_held = False
        os.ftruncate(self._file, 0)
        _unlock(self._file)
        os.close(self._file)


def _pid(file: int) -> int | None:
    """The pid that the holder wrote; None while it is just writing it."""
    os.lseek(file, 0, os.SEEK_SET)
    text = os.read(file, MOST_DIGITS).decode("ascii", "replace")
    return int(text) if text.isdigit() else None


if sys.platform == "win32":

    def _lock(file: int) -> None:
        os.lseek(file, BYTE_LOCKED, os.SEEK_SET)
        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        os.lseek(file, 0, os.SEEK_SET)

    def _unlock(file: int) -> None:
        os.lseek(file, BYTE_LOCKED, os.SEEK_SET)
        msvcrt.locking(file, msvcrt.LK_UNLCK, 1)

else:

    def _lock(file: int) -> None:
        # flock belongs to the open file, not to the process as fcntl's record locks do: a second
        # opening in the same process is refused too, and closing another handle frees nothing.
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _unlock(file: int) -> None:
        fcntl.flock(file, fcntl.LOCK_UN)
