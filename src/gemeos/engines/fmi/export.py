"""A declared model as an FMU for co-simulation, for tools that know nothing of Gemeos.

What is in it: the model's own file, pythonfmu and its loader. What is not, and must be where the
FMU is run: Python of the same version, and Gemeos. pythonfmu looks for them in the process that
loads it, or needs ``LD_PRELOAD`` of libpython where that is none of Python's.
"""

from __future__ import annotations

import importlib.util
import inspect
import math
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Final

from gemeos.errors import EngineError, SchemaError, UnknownNameError
from gemeos.schema.declare import declaration_of
from gemeos.schema.schema import Schema
from gemeos.schema.variable import Const, Sensor, Virtual

_NOTHING: Final[Mapping[str, float]] = MappingProxyType({})
_SCRIPT: Final = '''"""{name}, a declared model of Gemeos, as an FMU."""

from gemeos.engines.fmi.slave import TwinSlave
from {module} import {first} as _found


class {name}(TwinSlave):
    """{about}"""

    description = {about!r}
    model = _found{rest}
    known = {known!r}
'''


def export_fmu(
    model: type,
    path: str | Path,
    *,
    known: Mapping[str, float] = _NOTHING,
    files: Sequence[str | Path] = (),
) -> Path:
    """Write a declared model as an FMU of FMI 2, co-simulation.

    Args:
        model: A class decorated with ``model``, at the top of a file.
        path: Of the FMU.
        known: Start values of constants, params and states, in their units. Without one a
            constant starts at its default, params and states in the middle of their priors.
        files: What the model's file imports beside itself and is not installed.

    Returns:
        ``path``.

    Raises:
        EngineError: pythonfmu is not installed.
        SchemaError: the model is not declared, or not where an FMU can find it; or a constant has
            no value.
        UnknownNameError: ``known`` names what the model has not, or what follows from the others.
    """
    path = Path(path)
    schema = declaration_of(model).schema
    _check(schema, known)
    if path.suffix != ".fmu":
        raise SchemaError(f"An FMU's name ends with .fmu; {path.name} does not.")
    if importlib.util.find_spec("pythonfmu") is None:
        raise EngineError(
            path.name, "pythonfmu is not there. Install it: pip install 'gemeos[fmi]'."
        )
    module, source = _place(model)
    first, dot, rest = model.__qualname__.partition(".")
    about = (inspect.getdoc(model) or model.__name__).partition("\n")[0].replace('"', "'")
    script = _SCRIPT.format(
        name=model.__name__,
        module=module,
        first=first,
        rest=dot + rest,
        about=about.replace("\\", "/"),
        known={name: float(value) for name, value in known.items()},
    )
    with tempfile.TemporaryDirectory(prefix="gemeos-export-") as folder:
        # Modules of several FMUs meet in one interpreter: each has a name of its own.
        file = Path(folder) / f"{model.__name__}_{schema.fingerprint}.py"
        file.write_text(script, encoding="utf-8")
        carried = [*([] if source is None else [source]), *(Path(f).resolve() for f in files)]
        _build(file, path.resolve(), carried)
    return path


def _check(schema: Schema, known: Mapping[str, float]) -> None:
    given = [v.name for v in schema.variables if not isinstance(v, Sensor | Virtual)]
    for name, value in known.items():
        if name not in given:
            raise UnknownNameError("variable that can be given", name, given, where=schema.name)
        if not math.isfinite(value):
            raise SchemaError(f"{name!r} of {schema.name} cannot start at {value}.")
    for v in schema.variables:
        if isinstance(v, Const) and v.default is None and v.name not in known:
            raise SchemaError(f"The constant {v.name!r} of {schema.name} needs a value: known.")


def _place(model: type) -> tuple[str, Path | None]:
    """Name of the module that the FMU imports, and its file if the FMU has to carry it."""
    if "<locals>" in model.__qualname__:
        raise SchemaError(f"{model.__name__} is made inside a function: put it into a file.")
    name = model.__module__
    found = getattr(sys.modules.get(name), "__file__", None)
    if found is None:
        raise SchemaError(f"{model.__name__} has no file that an FMU could carry: put it into one.")
    source = Path(found).resolve()
    if name == "__main__":
        return source.stem, source
    # A package is installed where it is used, or it is not to be had at all.
    return name, None if "." in name else source


def _build(script: Path, path: Path, files: Sequence[Path]) -> None:
    from pythonfmu.builder import FmuBuilder  # noqa: PLC0415 - an extra

    path.parent.mkdir(parents=True, exist_ok=True)
    with _importing(script):
        FmuBuilder.build_FMU(
            script,
            dest=path,
            project_files=files,
            needsExecutionTool="true",
            canHandleVariableCommunicationStepSize="true",
            canGetAndSetFMUstate="true",
            canSerializeFMUstate="true",
        )


@contextmanager
def _importing(script: Path) -> Iterator[None]:
    """The script can be imported, and no trace of that stays."""
    before = list(sys.path)
    sys.path.insert(0, str(script.parent))
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path[:] = before
        sys.modules.pop(script.stem, None)
