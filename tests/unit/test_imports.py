"""Every module can be imported where only the base install and little of POSIX is there."""

from __future__ import annotations

import subprocess
import sys

BEGIN = """
import importlib, os, pkgutil, sys, types

def everything():
    for root in map(importlib.import_module, ("gemeos", "gemeos_plants")):
        for found in pkgutil.walk_packages(root.__path__, root.__name__ + "."):
            if not found.name.endswith("__main__"):
                importlib.import_module(found.name)
                yield found.name

def without(*names):
    for name in [n for n in sys.modules if n.partition(".")[0] in names]:
        del sys.modules[name]
    # None says that there is no such module, to import as well as to find_spec.
    sys.modules.update(dict.fromkeys(names))
"""

EXTRAS = (
    '"uvloop", "numba", "llvmlite", "pandas", "pyarrow", "matplotlib", "iotcore", "scipy", '
    '"libsumo", "sumo", "sumolib", "traci", "fmpy", "floris", "optuna", '
    '"pyproj", "shapefile"'
)

BASE_INSTALL = f"""
without({EXTRAS})
assert len(list(everything())) > 100
import asyncio
from gemeos.serve.server import loop_factory
from gemeos.simulate.fast import numba_is_there
assert loop_factory() is None and not numba_is_there()
print("imported")
"""

ELSEWHERE = f"""
# Once as it is here, so that libraries and asyncio have found what they need of this system.
list(everything())
for name in [n for n in sys.modules if n.partition(".")[0] in {{"gemeos", "gemeos_plants"}}]:
    del sys.modules[name]
POSIX = ("fcntl", "resource", "pwd", "grp", "termios", "tty", "pty", "syslog")
without({EXTRAS}, *POSIX)
for name in ("fork", "forkpty", "geteuid", "getuid", "getgid", "getpgid", "killpg", "setsid",
             "register_at_fork", "sched_getaffinity", "getloadavg", "uname", "wait3", "wait4"):
    if hasattr(os, name):
        delattr(os, name)
sys.platform = "win32"
sys.modules["msvcrt"] = types.ModuleType("msvcrt")
assert len(list(everything())) > 100
from gemeos.cli.main import parser
assert parser().parse_args(["now", "mill"]).twin == "mill"
print("imported")
"""

PULLED_IN = """
import gemeos
names = {name.partition(".")[0] for name, found in sys.modules.items() if found is not None}
print(sorted(n for n in names if n not in sys.stdlib_module_names and n[0] != "_"))
"""
# click, pygments and rich come with httpx, platformdirs and the flex ones with pint.
NEEDED = {
    "click", "duckdb", "flexcache", "flexparser", "gemeos", "httpx", "idna", "jaxtyping",
    "msgspec", "numpy", "paho", "pint", "platformdirs", "pygments", "rich", "typing_extensions",
}  # fmt: skip


def said(program: str) -> str:
    child = subprocess.run(
        [sys.executable, "-c", BEGIN + program],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert child.returncode == 0, child.stderr
    return child.stdout.strip()


def test_that_every_module_is_imported_where_no_extra_is_installed() -> None:
    assert said(BASE_INSTALL) == "imported"


def test_that_every_module_is_imported_where_there_is_neither_fork_nor_fcntl() -> None:
    assert said(ELSEWHERE) == "imported"


def test_that_importing_gemeos_brings_neither_extras_nor_the_server() -> None:
    # pint and httpx look for these by themselves; the base install does not bring them.
    told = said('without("babel", "scipy", "uncertainties", "dask", "xarray")' + PULLED_IN)
    assert set(told.strip("[]").replace("'", "").split(", ")) <= NEEDED
