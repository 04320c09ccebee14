"""The site of the figures over MQTT: what a user would write, plus lines about how far it is."""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from contextlib import suppress
from pathlib import Path

import gemeos as gm
from gemeos.errors import AssimilationError
from gemeos.link.format import TimeForm
from gemeos.runtime.asked import ScenarioQuestion
from gemeos.runtime.garbage import settled_in
from gemeos.runtime.host import Host
from gemeos.runtime.run import timeline_of
from gemeos.units import span
from tools.bench.model import LINK, pairs

LONGEST_S = 3600.0
TOLD_EVERY_S = 0.05
FORMATS = (
    gm.MessageFormat(topic="bench/{twin}/{tag}", time=TimeForm.MICROSECONDS),
    gm.MessageFormat(
        topic="batch/{twin}",
        channel="{twin}/{name}",
        name="/name",
        columns=True,
        time=TimeForm.MICROSECONDS,
    ),
)


def declared(
    port: int,
    store: Path | None,
    twins: int,
    *,
    horizon: str | None = None,
    keyframes: str = "10 min",
) -> gm.Site:
    """The site; without a store it is what a calm run is compared with."""
    link = gm.MqttLink(
        name=LINK, broker=f"mqtt://127.0.0.1:{port}", client_id="bench-site", message=FORMATS
    )
    return gm.Site(
        "bench",
        twins=pairs(twins, horizon=horizon),
        links=(link,),
        store=store,
        keyframes_every=span(keyframes),
    )


async def followed(host: Host, asked: int, members: int = 0) -> None:
    """Run the site; tell what it has taken in, and how old the estimates of some twins are."""
    async with asyncio.TaskGroup() as group:
        running = group.create_task(host.run())
        group.create_task(_told(host))
        if asked:
            group.create_task(_ages(host, asked))
        if members:
            group.create_task(_what_ifs(host, members))
        await asyncio.wait([running], timeout=LONGEST_S)


async def _told(host: Host) -> None:
    while host.link(LINK) is None:  # noqa: ASYNC110 -- nobody tells when a link is open
        await asyncio.sleep(0.002)
    _say(f"open {time.monotonic():.6f} {time.process_time():.6f}")
    while True:
        await asyncio.sleep(TOLD_EVERY_S)
        counted = host.counted
        _say(f"count {counted['readings']} {time.monotonic():.6f} {counted['commits']}")


async def _what_ifs(host: Host, members: int) -> None:
    """Run one scenario of so many members after the other, and tell of each."""
    twin = host.site.twin_names[0]
    while True:
        try:
            await host.compute.beside(_begun, host, twin, members)
        except AssimilationError:  # no reading has come yet
            await asyncio.sleep(TOLD_EVERY_S)
            continue
        record = await host.compute.beside(host.scenarios.record, twin, "ahead")
        while not record.progress.is_over:  # to wait for it would take a thread from questions
            await asyncio.sleep(TOLD_EVERY_S)
            record = await host.compute.beside(host.scenarios.record, twin, "ahead")
        _say(f"ran {record.ran} {record.took}")


def _begun(host: Host, twin: str, members: int) -> None:
    asked = ScenarioQuestion(
        name="ahead",
        changes={"k": "times 0.8"},
        until="10 min",
        every="1 min",
        members=members,
        replacing=True,
    )
    host.scenarios.begin(twin, asked)


async def _ages(host: Host, asked: int) -> None:
    """Ask twins that changed, and tell how old their newest reading is once they answer."""
    step = max(1, len(host.site.twin_names) // asked)
    newest: dict[str, int] = {}
    with host.feed.subscribed(host.site.twin_names[::step]) as news:
        while True:
            for name in await news.changed():
                with suppress(AssimilationError):
                    estimate = await host.compute.beside(host.questions.now, name)
                    at, wall = estimate.provenance.data_until, host.clock.wall()
                    if at is not None and at > newest.get(name, 0):
                        newest[name] = at
                        _say(f"ages {wall - at}")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> None:
    """Run until the parent ends it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("store", type=Path)
    parser.add_argument("--twins", type=int, required=True)
    parser.add_argument("--asked", type=int, default=0, help="twins asked after each change")
    parser.add_argument("--ahead", type=int, default=0, help="members of scenarios meanwhile")
    parser.add_argument("--on-thread", action="store_true", help="no process runs scenarios")
    parser.add_argument("--horizon", default=None)
    parser.add_argument("--keyframes", default="10 min")
    args = parser.parse_args()
    site = declared(
        args.port, args.store, args.twins, horizon=args.horizon, keyframes=args.keyframes
    )
    host = Host(site, timeline_of(site.store))
    if args.on_thread:
        host.executor.close()
    began, through = time.monotonic(), [0]
    host.resume(lambda done, _: through.__setitem__(0, done))
    _say(f"resumed {time.monotonic() - began:.6f} {through[0]}")
    try:
        with settled_in():
            asyncio.run(followed(host, args.asked, args.ahead))
    finally:
        host.close()


if __name__ == "__main__":
    main()
