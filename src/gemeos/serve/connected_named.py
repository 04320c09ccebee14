"""What scenarios, optimisations and hindcasts of a site elsewhere have in common."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import Final, Generic, Protocol, TypeVar
from urllib.parse import quote

from gemeos.errors import NotReadyError
from gemeos.runtime.named import Pursued
from gemeos.serve import messages as m
from gemeos.serve.scenario_messages import DroppedMessage

FIRST_PAUSE_S: Final = 0.05
LONGEST_PAUSE_S: Final = 1.0
"""Between two questions whether it is ready."""

_T = TypeVar("_T", bound=m.Message)
_Told = TypeVar("_Told")
_R = TypeVar("_R", bound=Pursued)


class Asks(Protocol):
    """What a connection can do."""

    def asked(self, path: str, kind: type[_T], **asked: str | None) -> _T:
        """The answer to a question."""
        ...

    def told(self, method: str, path: str, kind: type[_T], body: object | None = None) -> _T:
        """The answer to something that is sent."""
        ...

    def file(self, path: str) -> bytes:
        """A file, as it is."""
        ...


_M = TypeVar("_M", bound=m.Message)


class ConnectedNamed(ABC, Generic[_R, _M]):
    """Those of one kind and twin; ``_M`` is the message of one."""

    def __init__(self, connection: Asks, twin: str, kind: str, message: type[_M]) -> None:
        """``kind`` as in the path, in the plural."""
        self._connection, self._message = connection, message
        self._path = f"/api/twins/{quote(twin, safe='')}/{kind}"

    @abstractmethod
    def _record(self, told: _M) -> _R:
        """As it is here."""

    @abstractmethod
    def _listed(self) -> Iterable[_M]:
        """Every one, the oldest first."""

    @abstractmethod
    def _done(self, told: _M) -> float:
        """How much of it is done, 0..1."""

    def _begun(self, body: object) -> _R:
        return self._record(self._connection.told("POST", self._path, self._message, body))

    def all(self) -> Sequence[_R]:
        """Every one, the oldest first."""
        return [self._record(each) for each in self._listed()]

    def record(self, name: str, *, wait_s: float | None = None) -> _R:
        """What one is, and how far; with ``wait_s`` when it is over.

        Raises:
            NotReadyError: it takes longer.
        """

        def answer() -> _R:
            told = self._told(name)
            record = self._record(told)
            if wait_s is not None and not record.progress.is_over:
                raise NotReadyError(
                    f"{name} is {record.progress.value}, {self._done(told):.0%} done. "
                    "Ask again later."
                )
            return record

        return answer() if wait_s is None else waited(answer, wait_s)

    def progress(self, name: str) -> float:
        """How much of it is done, 0..1."""
        return self._done(self._told(name))

    def cancel(self, name: str) -> _R:
        """End it."""
        path = f"{self._one(name)}/cancel"
        return self._record(self._connection.told("POST", path, self._message, {}))

    def drop(self, name: str) -> None:
        """Delete it."""
        self._connection.told("DELETE", self._one(name), DroppedMessage)

    def _told(self, name: str) -> _M:
        return self._connection.asked(self._one(name), self._message)

    def _one(self, name: str) -> str:
        return f"{self._path}/{quote(name, safe='')}"


def waited(answer: Callable[[], _Told], wait_s: float) -> _Told:
    """The answer as soon as it is ready.

    Raises:
        NotReadyError: it was not in time.
    """
    end, pause = time.monotonic() + wait_s, FIRST_PAUSE_S
    while True:
        try:
            return answer()
        except NotReadyError:
            if time.monotonic() + pause > end:
                raise
        time.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE_S)
