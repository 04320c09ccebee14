"""Questions that would disturb SUMO, asked of a copy of this process."""

from __future__ import annotations

import os
from collections.abc import Callable

import msgspec

from gemeos.engines.spec import Values


class _Answer(msgspec.Struct):
    values: Values
    why_not: str = ""


def in_a_copy(ask: Callable[[], Values]) -> Values:
    """What ``ask`` answers in a fork of this process, which thereby stays as it is.

    Where there is no fork it is asked here.

    Raises:
        RuntimeError: with the words of what ``ask`` raised.
    """
    if not hasattr(os, "fork"):
        return ask()
    answer, told = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            try:
                said = _Answer(ask())
            except Exception as error:  # noqa: BLE001 - told and raised in the original
                said = _Answer({}, str(error))
            with os.fdopen(told, "wb") as out:
                out.write(msgspec.msgpack.encode(said))
        finally:
            os._exit(0)
    os.close(told)
    with os.fdopen(answer, "rb") as into:
        text = into.read()
    os.waitpid(pid, 0)
    said = msgspec.msgpack.decode(text, type=_Answer)
    if said.why_not:
        raise RuntimeError(said.why_not)
    return said.values
