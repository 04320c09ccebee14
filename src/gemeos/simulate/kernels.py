"""Where compiled kernels are kept, so that only the first start compiles.

A printed module is written to a file whose name is the hash of its text, and numba keeps what it
compiled beside it, for this processor. A file is never written again: numba takes its size and
time for a sign of change. The folder can be deleted at any time. What lies in it is executed, so
it must be the user's own: that is why it is not in the system's folder for temporary files.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import linecache
import logging
import os
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, Final

logger = logging.getLogger(__name__)

OTHERS_MAY_WRITE: Final = 0o022

_loading = threading.Lock()
"""A module is in ``sys.modules`` before it is complete; nobody else may find it there by then."""


def usual_folder() -> Path | None:
    """The user's cache folder on this platform; None for a user without a home."""
    try:
        home = Path.home()
    except RuntimeError:
        return None
    match sys.platform:
        case "darwin":
            return home / "Library" / "Caches" / "gemeos" / "kernels"
        case "win32":
            return home / "AppData" / "Local" / "gemeos" / "Cache" / "kernels"
        case _:
            return home / ".cache" / "gemeos" / "kernels"


def loaded(printed: Callable[[bool], str], folder: Path | None) -> ModuleType:
    """The module with the text ``printed(cached)``, compiled or found compiled.

    Args:
        printed: Its text for a numba that keeps what it compiles, or not.
        folder: Where to keep it. Where that cannot be written, or belongs to others too, this
            is told and every start compiles anew.
    """
    told = _refusal(folder)
    text = printed(told is None)
    name = f"gemeos_kernels_{hashlib.sha256(text.encode()).hexdigest()[:24]}"
    with _loading:
        known = sys.modules.get(name)
        if known is not None:
            return known
        if folder is None or told is not None:
            logger.info("Kernels are compiled anew at every start: %s.", told)
            return _executed(text, f"<{name}>", name)
        path = folder / f"{name}.py"
        if not path.exists():
            logger.info("compiling %s, once on this machine: some seconds", path)
        _write(path, text)
        with _looked_up_first(name):
            return _executed(text, str(path), name)


@contextlib.contextmanager
def _looked_up_first(module: str) -> Iterator[None]:
    """Have numba look for what it kept of ``module`` before it makes itself ready to compile.

    It does so the other way round, and that takes a third of a second (a part of it for scipy,
    where there is one), of which nothing is needed for kernels that are found. Whatever it has to
    compile makes it ready all the same. Can go when ``Cache.load_overload`` does not refresh any
    more.
    """
    from numba.core.caching import Cache  # noqa: PLC0415 - an extra

    usual: Any = Cache.load_overload

    def found(cache: Any, signature: Any, target: Any) -> Any:  # noqa: ANN401 - numba's own
        # Not those of others, which may be compiled on another thread meanwhile: they may need
        # what is made ready.
        if cache._py_func.__module__ != module:  # noqa: SLF001
            return usual(cache, signature, target)
        with cache._guard_against_spurious_io_errors():  # noqa: SLF001
            return cache._load_overload(signature, target)  # noqa: SLF001

    setattr(Cache, usual.__name__, found)
    try:
        yield
    finally:
        setattr(Cache, usual.__name__, usual)


def _refusal(folder: Path | None) -> str | None:
    """Why nothing can be kept in ``folder``, or None after making sure that it is there."""
    if folder is None:
        return "the user has no home folder"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        about = folder.stat()
    except OSError as error:
        return str(error)
    if os.name == "posix" and (about.st_uid != os.geteuid() or about.st_mode & OTHERS_MAY_WRITE):
        return f"others than this user may write to {folder}"
    return None if os.access(folder, os.W_OK) else f"{folder} cannot be written"


def _write(path: Path, text: str) -> None:
    """Put ``text`` there whole or not at all; a file with that text stays as it is."""
    with contextlib.suppress(FileNotFoundError):
        if path.read_text("utf-8") == text:
            return
    with tempfile.NamedTemporaryFile(
        "w", encoding="utf-8", dir=path.parent, suffix=".tmp", delete=False
    ) as file:
        file.write(text)
    Path(file.name).replace(path)


def _executed(text: str, filename: str, name: str) -> ModuleType:
    spec = importlib.util.spec_from_loader(name, loader=None, origin=filename)
    if spec is None:
        raise ImportError(f"{name} cannot be a module's name")
    module = importlib.util.module_from_spec(spec)
    module.__file__ = filename
    linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
    sys.modules[name] = module
    try:
        exec(compile(text, filename, "exec"), vars(module))  # noqa: S102 - our own printer's text
    except BaseException:
        del sys.modules[name]
        raise
    return module
