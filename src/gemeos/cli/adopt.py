"""``gemeos adopt``: a site with a twin of an FMU, without a line of Python."""

from __future__ import annotations

import argparse
import re
import shutil
from pathlib import Path

import msgspec
from rich.console import Console

from gemeos.engines.fmi import Interface
from gemeos.engines.fmi.adopt import adopted
from gemeos.engines.fmi.adoption import Adoption
from gemeos.engines.spec import Snapshot
from gemeos.errors import EngineError, SettingsError
from gemeos.units import span, span_told

BY_STATES = "ensemble filter: the FMU's whole state can be written"
BY_PARAMS = "window that slides: params are fitted to readings, and the FMU is run again with them"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What ``adopt`` takes."""
    parser.add_argument("fmu", type=Path, help="the FMU; it is executed: only what you trust")
    parser.add_argument("--folder", type=Path, help="what is made; by default named as the FMU")
    parser.add_argument("--name", help="of the twin; by default the FMU's")
    parser.add_argument("--step", help="as in '100 ms'; by default what the FMU proposes")
    parser.add_argument("--substeps", type=int, help="of the solver; by default what it takes")
    parser.add_argument("--estimate", default="", help="params that are unknown, as in 'k,leak'")
    parser.add_argument("--control", default="", help="inputs that plans may set, as in 'valve'")
    parser.add_argument(
        "--memoryless",
        action="store_true",
        help="your word that what is discrete follows from states and inputs alone",
    )
    parser.set_defaults(run=_adopt)


def _adopt(args: argparse.Namespace) -> None:
    source: Path = args.fmu
    name = args.name or re.sub(r"\W+", "_", source.stem)
    folder: Path = args.folder or Path(name)
    written = [folder / "model.toml", folder / "site.toml"]
    for path in written:
        if path.exists():
            raise SettingsError(f"{path} is there already and is left alone: say another --folder.")
    if not source.is_file():
        raise EngineError(source.name, f"there is no file {source}")
    found = adopted(
        source,
        step=None if args.step is None else span(args.step),
        substeps=args.substeps,
        memoryless=args.memoryless,
        estimate=_listed(args.estimate),
        controls=_listed(args.control),
    )
    folder.mkdir(parents=True, exist_ok=True)
    copy = folder / source.name
    if not copy.exists():
        shutil.copyfile(source, copy)
    texts = (found.model_toml(source.name), found.site_toml(name))
    for path, text in zip(written, texts, strict=True):
        path.write_text(text, encoding="utf-8")
    if args.json:
        print(msgspec.json.encode(_told(found, folder)).decode())
    else:
        _print(found, folder)


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _told(found: Adoption, folder: Path) -> dict[str, object]:
    return {
        "model": found.spec.name,
        "version": found.spec.version,
        "interface": _interface(found),
        "step": span_told(found.spec.step),
        "mode": BY_PARAMS if found.hidden else BY_STATES,
        "hidden": list(found.hidden),
        "site": str(folder / "site.toml"),
        "description": str(folder / "model.toml"),
        "variables": {row.name: row.role for row in found.rows},
        "left": list(found.left),
        "decide": list(found.decide),
    }


def _alone(found: Adoption) -> bool:
    return found.fmi.interface is Interface.CO_SIMULATION


def _interface(found: Adoption) -> str:
    return "co-simulation" if _alone(found) else "model exchange"


def _print(found: Adoption, folder: Path) -> None:
    console = Console(highlight=False, soft_wrap=True)

    def line(text: str) -> None:
        console.print(text, markup=False)

    spec = found.spec
    line(f"{spec.name} ({spec.version}) can be kept in step.")
    for role, plural in (
        ("state", "states"),
        ("param", "params, estimated"),
        ("const", "params, known"),
        ("input", "inputs"),
        ("control", "controls"),
        ("sensor", "sensors"),
    ):
        rows = found.of_role(role)
        if rows:
            line(f"  {plural}: {', '.join(row.name for row in rows)}")
    if found.left:
        line(f"  left as they start: {', '.join(found.left)}")
    line("Chosen:")
    substeps = "" if _alone(found) else f", {found.fmi.substeps} substeps in each"
    line(f"  {_interface(found)}; steps of {span_told(spec.step)}{substeps}")
    line(f"  {BY_PARAMS if found.hidden else BY_STATES}")
    for each in found.hidden:
        line(f"  because its state cannot be written: {each}")
    if found.hidden:
        kept = spec.capabilities.snapshot
        line(f"  {found.members} members, each a simulation; its snapshots: {kept.value}")
        if kept is Snapshot.REPLAY:
            line("  to go back it is run again from its beginning: best for short lives")
    line("Yours to decide, in model.toml and site.toml:")
    for each in found.decide:
        line(f"  {each}")
    if not found.of_role("param"):
        line("  which params are unknown: none is estimated (--estimate)")
    line(f"Then: gemeos up {folder / 'site.toml'}")
