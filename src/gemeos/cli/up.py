"""``gemeos up``: run a site, show it in the terminal, serve it."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.logging import RichHandler
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from gemeos.cli.declared import declared
from gemeos.cli.show import aged, number
from gemeos.errors import GemeosError
from gemeos.runtime.garbage import settled_in
from gemeos.runtime.host import Host
from gemeos.runtime.phase import Phase
from gemeos.runtime.run import timeline_of
from gemeos.runtime.settings import Settings
from gemeos.serve.auth import TokenFile
from gemeos.serve.server import loop_factory, serve
from gemeos.units import iso, zone

TABLE_EVERY_S = 1.0
LINE_EVERY_S = 10.0
VARIABLES_SHOWN = 8
FINISHED_HINT = "The record is at its end. `gemeos demo --restart` begins it anew."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What ``up`` takes."""
    parser.add_argument("site", nargs="?", type=Path, default=Path("site.toml"))
    parser.set_defaults(run=_up)


def _up(args: argparse.Namespace) -> None:
    run_site(declared(args.site))


def run_site(settings: Settings, *, alive: Callable[[], None] = lambda: None) -> None:
    """Run it until Ctrl-C or SIGTERM.

    Args:
        settings: What site.toml says.
        alive: Called now and then; raises when something that the site needs has ended.
    """
    console = Console(stderr=False)
    logging.basicConfig(
        level=logging.INFO,
        format="%(message)s",
        handlers=[RichHandler(console=console, show_path=False, omit_repeated_times=False)],
    )
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    host = Host(settings.site, timeline_of(settings.site.store))
    try:
        _resume(host, console)
        with settled_in(), asyncio.Runner(loop_factory=loop_factory()) as runner:
            runner.run(_running(host, settings, console, alive))
    except* KeyboardInterrupt:
        pass
    finally:
        host.close()
    console.print(f"{settings.site.name} stopped; its store is whole.")


def _resume(host: Host, console: Console) -> None:
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("going through stored readings", total=None)
        host.resume(lambda done, total: progress.update(task, completed=done, total=total))


async def _running(
    host: Host, settings: Settings, console: Console, alive: Callable[[], None]
) -> None:
    serving = settings.serving
    stop = asyncio.Event()
    if sys.platform != "win32":
        loop = asyncio.get_running_loop()
        for number_ in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number_, stop.set)
    tokens = TokenFile(settings.path.resolve().parent / serving.tokens, host.clock)

    def ready(address: str) -> None:
        console.print(f"[bold]{settings.site.name}[/bold] answers at [bold]{address}[/bold]")
        if host.site.source != "live":
            console.print(f"Everything shown is {host.site.source}.")

    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(host.run(), name="gemeos-host"),
            group.create_task(
                serve(
                    host,
                    bind=serving.host,
                    port=serving.port,
                    tokens=tokens,
                    hosts=serving.hosts,
                    loopback_without_token=serving.loopback_without_token,
                    ready=ready,
                ),
                name="gemeos-serve",
            ),
            group.create_task(_show(host, console), name="gemeos-show"),
            group.create_task(_watch(alive), name="gemeos-watch"),
        ]
        await stop.wait()
        console.print("stopping ...")
        for task in tasks:
            task.cancel()


async def _watch(alive: Callable[[], None]) -> None:
    while True:
        await asyncio.sleep(TABLE_EVERY_S)
        alive()


async def _show(host: Host, console: Console) -> None:
    """A live table in a terminal; a line now and then where the output goes to a file."""
    if not console.is_terminal:
        while True:
            await asyncio.sleep(LINE_EVERY_S)
            for name in host.site.twin_names:
                console.print(await host.compute.beside(_line, host, name))
    with Live(console=console, auto_refresh=False) as live:
        while True:
            live.update(await host.compute.beside(_table, host), refresh=True)
            await asyncio.sleep(TABLE_EVERY_S)


def _line(host: Host, name: str) -> str:
    trust = host.questions.trust(name)
    when = iso(trust.now, zone=zone(host.site.zone))
    newest = "" if trust.age is None else f", newest {aged(trust.age)} old"
    text = f"{when} {name} is {trust.phase.value}: {trust.assimilated} readings{newest}"
    return f"{text}. {FINISHED_HINT}" if trust.phase is Phase.FINISHED else text


def _table(host: Host) -> Table:
    counted = host.counted
    title = (
        f"{host.site.name}  {iso(host.clock.now(), zone=zone(host.site.zone))}  "
        f"({host.site.source})\n{counted['readings']} readings in {counted['commits']} commits, "
        f"{counted['duplicates']} duplicates, {counted['refused']} refused, "
        f"{counted['too_late']} too late, loop lag {1000 * host.loop_lag_s:.0f} ms"
    )
    table = Table(title=title, title_justify="left")
    for heading in ("twin", "phase", "age", "variable", "mean", "90 % between", "unit"):
        table.add_column(heading, justify="right" if heading in {"age", "mean"} else "left")
    for name in host.site.twin_names:
        trust = host.questions.trust(name)
        lead = (name, trust.phase.value, aged(trust.age))
        with suppress(GemeosError):
            for variable, mean, low, high, unit in _shown(host, name):
                table.add_row(*lead, variable, mean, f"{low} .. {high}", unit)
                lead = ("", "", "")
        if lead[0]:
            table.add_row(*lead, "no estimate yet", "", "", "")
        if trust.phase is Phase.FINISHED:
            table.caption = FINISHED_HINT
    return table


def _shown(host: Host, name: str) -> list[tuple[str, str, str, str, str]]:
    estimate = host.questions.now(name)
    rows = []
    for variable in host.twin(name).shown[:VARIABLES_SHOWN]:
        marginal = estimate[variable]
        low, high = marginal.interval(0.9)
        rows.append(
            (
                variable,
                number(float(marginal.mean[0])),
                number(float(low[0])),
                number(float(high[0])),
                marginal.unit,
            )
        )
    return rows
