"""A site that runs and is served, on a thread of its own: for tests of clients."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from gemeos.runtime.host import Host
from gemeos.runtime.run import timeline_of
from gemeos.runtime.site import Site
from gemeos.serve.auth import TokenFile
from gemeos.serve.limits import Limits
from gemeos.serve.server import loop_factory, serve

LONGEST_START_S = 20.0


@dataclass(frozen=True, slots=True)
class Serving:
    """A site that can be asked."""

    url: str
    host: Host
    loop: asyncio.AbstractEventLoop


@contextmanager
def served(
    site: Site,
    *,
    tokens: TokenFile | None = None,
    hosts: tuple[str, ...] = (),
    loopback_without_token: bool = True,
    limits: Limits | None = None,
) -> Iterator[Serving]:
    """Run and serve ``site`` at a free port of loopback for as long as the block lasts."""
    host = Host(site, timeline_of(site.store))
    host.resume()
    addresses: list[str] = []
    told = threading.Event()
    running: list[tuple[asyncio.AbstractEventLoop, asyncio.Task[None]]] = []

    def ready(url: str) -> None:
        addresses.append(url)
        told.set()

    async def both() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(host.run())
            group.create_task(
                serve(
                    host,
                    port=0,
                    tokens=tokens,
                    ready=ready,
                    hosts=hosts,
                    loopback_without_token=loopback_without_token,
                    limits=limits,
                )
            )

    async def until_cancelled() -> None:
        task = asyncio.create_task(both())
        running.append((asyncio.get_running_loop(), task))
        with suppress(asyncio.CancelledError):
            await task

    failed: list[BaseException] = []

    def run() -> None:
        try:
            with asyncio.Runner(loop_factory=loop_factory()) as runner:
                runner.run(until_cancelled())
        except BaseException as error:  # noqa: BLE001 -- raised again where the block ends
            failed.append(error)
        finally:
            told.set()

    thread = threading.Thread(target=run, name="gemeos-served")
    thread.start()
    try:
        if not told.wait(LONGEST_START_S):
            raise RuntimeError("The site was not served in time.")
        if failed:
            raise failed[0]
        yield Serving(addresses[0], host, running[0][0])
    finally:
        for loop, task in running:
            with suppress(RuntimeError):  # the loop has ended by itself
                loop.call_soon_threadsafe(task.cancel)
        thread.join()
        host.close()
    if failed:
        raise failed[0]
