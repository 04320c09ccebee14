"""``gemeos export``: a declared model as an FMU."""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path

import msgspec

from gemeos.cli.declared import declared
from gemeos.engines.fmi.export import export_fmu
from gemeos.errors import SchemaError, SettingsError, UnknownNameError, nearest


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What ``export`` takes."""
    parser.add_argument("name", help="a twin of the site, or a model as 'module:name'")
    parser.add_argument("fmu", type=Path, help="what is written")
    parser.add_argument("--site", type=Path, default=Path("site.toml"), help="where the twin is")
    parser.add_argument(
        "--file",
        type=Path,
        action="append",
        default=[],
        help="what the model's file imports beside itself; may be given several times",
    )
    parser.set_defaults(run=_export)


def _export(args: argparse.Namespace) -> None:
    model, known = _model(args.name) if ":" in args.name else _of_twin(args.name, args.site)
    path = export_fmu(model, args.fmu, known=known, files=args.file)
    if args.json:
        print(msgspec.json.encode({"model": model.__name__, "fmu": str(path)}).decode())
    else:
        print(f"{path}: {model.__name__}, FMI 2.0 co-simulation.")
        print("Where it is run there must be Python and gemeos.")


def _of_twin(name: str, site: Path) -> tuple[type, dict[str, float]]:
    twins = {twin.name: twin for twin in declared(site).site.twins}
    if name not in twins:
        raise UnknownNameError("twin", name, twins, where=str(site))
    twin = twins[name]
    if twin.model is None:
        raise SchemaError(
            f"{name} is no declared model: only classes under @gm.model can be exported."
        )
    return twin.model, dict(twin.enrolment.consts)


def _model(name: str) -> tuple[type, dict[str, float]]:
    sys.path.insert(0, str(Path.cwd()))
    module, _, attribute = name.partition(":")
    try:
        found = importlib.import_module(module)
    except ImportError as error:
        raise SettingsError(f"{name!r}: {error}.") from error
    finally:
        sys.path.pop(0)
    model = getattr(found, attribute, None)
    if not isinstance(model, type):
        known = [n for n, v in vars(found).items() if isinstance(v, type)]
        raise SettingsError(f"{module} has no class {attribute!r}.{nearest(attribute, known)}")
    return model, {}
