"""Packages that only some answers need; they are imported when such an answer is asked for."""

from __future__ import annotations

import importlib
from types import ModuleType

from gemeos.errors import InputError


def needed(package: str, *, by: str, extra: str) -> ModuleType:
    """The package, imported now.

    Raises:
        InputError: it is not installed; the message says which extra of Gemeos brings it.
    """
    try:
        return importlib.import_module(package)
    except ImportError as error:
        top = package.partition(".")[0]
        raise InputError(
            f"{by} needs {top}, which is not installed: pip install 'gemeos[{extra}]'."
        ) from error
