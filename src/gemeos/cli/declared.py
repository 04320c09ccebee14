"""The site.toml that a command is about."""

from __future__ import annotations

import sys
from pathlib import Path

from gemeos.runtime.settings import Settings, read


def declared(path: Path) -> Settings:
    """What the file says. Modules that lie beside it are found: a user's models live there.

    Raises:
        SettingsError: it cannot be used.
    """
    here = str(path.resolve().parent)
    if here not in sys.path:
        sys.path.insert(0, here)
    return read(path)
