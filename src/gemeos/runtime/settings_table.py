"""Tables of a TOML file, read as dataclasses: every key is checked, an unknown one gets a guess."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

import msgspec

from gemeos.errors import SettingsError, nearest

_T = TypeVar("_T")
Table = Mapping[str, object]
Elsewhere = Mapping[str, Collection[str]]
"""Keys of tables, by what these are called in the file."""


def many(told: Table, key: str, path: Path) -> list[tuple[str, Table]]:
    """The tables ``[key.NAME]``, with their names.

    Raises:
        SettingsError: one is no table.
    """
    tables = table_of(told, key, path)
    for name, table in tables.items():
        if not isinstance(table, dict):
            raise SettingsError(f"{path} {key}.{name} = {table!r} is not a table [{key}.{name}].")
    return [(n, t) for n, t in tables.items() if isinstance(t, dict)]


def table_of(told: Table, key: str, path: Path) -> Table:
    """The table ``[key]``; an empty one where there is none.

    Raises:
        SettingsError: it is no table.
    """
    table = told.get(key, {})
    if not isinstance(table, dict):
        raise SettingsError(f"{path} {key} = {table!r} is not a table [{key}].")
    return table


def only(told: Table, known: set[str], where: str, elsewhere: Elsewhere | None = None) -> None:
    """Refuse every key but those that are known.

    Args:
        told: The table.
        known: Its keys.
        where: What it is called.
        elsewhere: Keys of other tables, for whoever took the wrong one.

    Raises:
        SettingsError: there is another.
    """
    for key in told:
        if key not in known:
            tables = [table for table, keys in (elsewhere or {}).items() if key in keys]
            if tables:
                raise SettingsError(
                    f"{where} has no key {key!r}. It belongs to {' or '.join(tables)}."
                )
            raise SettingsError(f"{where} has no key {key!r}.{nearest(key, known)}")


def read_as(kind: type[_T], told: object, where: str, elsewhere: Elsewhere | None = None) -> _T:
    """``told`` as that dataclass; ``elsewhere`` as for ``only``.

    Raises:
        SettingsError: an unknown key, a missing one, or a value of another kind.
    """
    if not isinstance(told, dict):
        raise SettingsError(f"{where} is {told!r}, not a table.")
    if is_dataclass(kind):
        only(told, {f.name for f in fields(kind)}, where, elsewhere)
    _known_deep(kind, told, where)
    try:
        return msgspec.convert(told, kind)
    except msgspec.ValidationError as error:
        raise SettingsError(f"{where}: {error}.") from error


def _known_deep(kind: Any, told: object, where: str) -> None:  # noqa: ANN401 -- any annotation
    """Refuse keys that a dataclass lacks, also in the tables inside it, and missing ones."""
    if get_origin(kind) is tuple and isinstance(told, list):
        for place, each in enumerate(told):
            _known_deep(get_args(kind)[0], each, f"{where}[{place}]")
        return
    for each in get_args(kind):
        if is_dataclass(each):
            kind = each
    if not (is_dataclass(kind) and isinstance(told, dict)):
        return
    hints = get_type_hints(kind)
    only(told, {f.name for f in fields(kind)}, where)
    for f in fields(kind):
        if f.name in told:
            _known_deep(hints[f.name], told[f.name], f"{where} {f.name}")
        elif f.default is MISSING and f.default_factory is MISSING:
            raise SettingsError(f"{where} lacks {f.name!r}.")
