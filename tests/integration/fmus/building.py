"""Makes FMUs of the models beside this file."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from tests.conftest import missing

HERE = Path(__file__).parent


def compiled(folder: Path, name: str) -> Path:
    """The FMU of ``name.c`` and ``name.xml``."""
    compiler = shutil.which("cc")
    if compiler is None or find_spec("fmpy") is None:
        missing("a C compiler, or fmpy of the extra gemeos[fmi]")
    library = folder / f"{name}.so"
    flags = ("-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", "-o", library)
    subprocess.run([str(compiler), *flags, HERE / f"{name}.c"], check=True, timeout=50)
    path = folder / f"{name}.fmu"
    with zipfile.ZipFile(path, "w") as fmu:
        fmu.write(HERE / f"{name}.xml", "modelDescription.xml")
        place = f"darwin64/{name}.dylib" if sys.platform == "darwin" else f"linux64/{name}.so"
        fmu.write(library, f"binaries/{place}")
    return path


def built(folder: Path, name: str, builder: str, **options: str) -> Path:
    """The FMU of ``name.py``, by ``pythonfmu`` or ``pythonfmu3``."""
    if find_spec("fmpy") is None or find_spec(builder) is None:
        missing(f"fmpy of the extra gemeos[fmi], or {builder}")
    build = import_module(f"{builder}.builder").FmuBuilder.build_FMU
    beside = [HERE / "misbehaving.py"]
    return Path(build(HERE / f"{name}.py", dest=folder, project_files=beside, **options))
