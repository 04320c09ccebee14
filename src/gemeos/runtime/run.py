"""Running a site inside a program: in a script, a test, or a notebook with a loop of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from gemeos.errors import StoppedError
from gemeos.runtime.host import Host
from gemeos.runtime.ledger_row import Ledger
from gemeos.runtime.plan import Kill
from gemeos.runtime.questions import Questions
from gemeos.runtime.site import Site
from gemeos.runtime.switches import WHOLE_SITE
from gemeos.runtime.twin import Twin
from gemeos.runtime.twin_plans import PROGRAM
from gemeos.schema.role import Role
from gemeos.timeline.base import Timeline
from gemeos.timeline.duck import DuckTimeline
from gemeos.timeline.memory import MemoryTimeline

LONGEST_STOP_S = 30.0


def timeline_of(store: Path | None) -> Timeline:
    """The memory of a site: its file, or, without one, the process's own memory."""
    if store is None:
        return MemoryTimeline()
    store.parent.mkdir(parents=True, exist_ok=True)
    return DuckTimeline(store)


class RunningSite:
    """A site on a thread of its own, with an event loop of its own."""

    def __init__(self, site: Site) -> None:
        """Opens the store and resumes; nothing is followed before the block is entered."""
        self.host = Host(site, timeline_of(site.store))
        self._loop: asyncio.AbstractEventLoop | None = None
        self._following: asyncio.Task[None] | None = None
        self._ready = threading.Event()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"gemeos-{site.name}", daemon=True)

    @property
    def questions(self) -> Questions:
        """Everything that can be asked, by the twin's name."""
        return self.host.questions

    @property
    def names(self) -> tuple[str, ...]:
        """The twins' names."""
        return tuple(self.host.site.twin_names)

    def __getitem__(self, name: str) -> Twin:
        """The twin of that name.

        Raises:
            UnknownNameError: there is none.
        """
        return self.host.twin(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __enter__(self) -> Self:
        self.host.resume()
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._loop is not None and self._following is not None:
            # Where every source ended by itself the loop is closed, perhaps at this moment.
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._following.cancel)
        self._thread.join(LONGEST_STOP_S)
        if self._thread.is_alive():
            raise StoppedError(
                f"{self.host.site.name} did not stop in {LONGEST_STOP_S:g} s; its store is whole."
            )
        self.host.close()

    def ledger(self) -> Ledger:
        """What applied plans of all twins promised, and what they delivered."""
        return self.host.applying.ledgers.of()

    def stop_site(self, *, why: str = "") -> Kill:
        """Engage the kill switch of the whole site: nothing is sent to any twin's devices."""
        return self.host.applying.switches.engage(
            WHOLE_SITE, actor=PROGRAM, role=Role.ADMIN, why=why
        )

    def release_site(self) -> bool:
        """Release it, and none of a twin's own; False where it was not engaged."""
        return self.host.applying.switches.release(WHOLE_SITE, actor=PROGRAM, role=Role.ADMIN)

    def stopped(self) -> Sequence[Kill]:
        """The kill switches that are engaged; that of the site names no twin."""
        return self.host.applying.switches.all()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until every source ended; False if it took longer than ``timeout_s``."""
        return self._over.wait(timeout_s)

    def caught_up(self, timeout_s: float | None = None) -> bool:
        """Wait until all that is stored is taken in; False if it took longer than ``timeout_s``.

        Only twins whose cycles take long are behind what is stored: those of engines.
        """
        return self.host.wait(timeout_s)

    def _run(self) -> None:
        with asyncio.Runner() as runner:
            runner.run(self._follow())

    async def _follow(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._following = asyncio.create_task(self.host.run())
        # Its first steps attach the twins: whoever enters the block may ask them at once.
        await asyncio.sleep(0)
        self._ready.set()
        try:
            await self._following
        except asyncio.CancelledError:
            return
        finally:
            self._over.set()


@contextmanager
def run(what: Site | Twin) -> Iterator[RunningSite]:
    """Run a site, or a single twin that no link feeds, for as long as the block lasts."""
    site = what if isinstance(what, Site) else Site(what.name, twins=(what,))
    with RunningSite(site) as running:
        yield running
