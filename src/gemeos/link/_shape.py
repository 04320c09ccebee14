"""Where things stand in a message: pointers followed slowly, or compiled into typed structs.

The slow way reads everything and can tell what is wrong. The fast way lets msgspec check types
while it parses, and knows only right or wrong; whoever uses it falls back on the slow way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Annotated, Any, Final, TypeAlias

import msgspec
from msgspec import UNSET, Meta, UnsetType

from gemeos.errors import ReadingError
from gemeos.link.format import MessageFormat, Pointer, pointer

MISSING: Final = UNSET
"""Nothing stands there."""
Told: TypeAlias = dict[str, Any]
"""What a message says of one reading, by role; a role that it leaves out is not a key."""

Columns: TypeAlias = tuple[int, dict[str, list[Any]], list[Any]]

ROLES: Final = (
    "value",
    "name",
    "valid_at",
    "valid_from",
    "sample",
    "revision",
    "retracted",
    "sequence",
    "quality",
    "unit",
)
_NATURAL31: Final = Annotated[int, Meta(ge=0, le=2**31 - 1)]
_NATURAL63: Final = Annotated[int, Meta(ge=0, le=2**63 - 1)]
_TYPES: Final[Mapping[str, Any]] = {
    "value": float,
    "name": str | int,
    "sample": _NATURAL31,
    "revision": _NATURAL63,
    "retracted": bool,
    "sequence": _NATURAL63,
    "quality": str | int | bool,
    "unit": str,
}


def follow(document: object, where: Pointer) -> object:
    """What stands at ``where``, or ``MISSING``."""
    for token in where:
        if isinstance(document, dict):
            document = document.get(token, MISSING)
        elif isinstance(document, list) and token.isdecimal() and token.isascii():
            # RFC 6901 knows no leading zeros.
            place = int(token) if len(token) < 10 and (len(token) == 1 or token[0] != "0") else -1
            document = document[place] if 0 <= place < len(document) else MISSING
        else:
            return MISSING
    return document


@dataclass(frozen=True, slots=True, eq=False)
class Single:
    """A message of one plain reading, compiled."""

    pick: Callable[[bytes], tuple[Any, ...]]
    """Payload to (value, time), then (name,) and (sequence,) where declared."""
    named: bool
    counted: bool


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """A message of many readings, compiled."""

    columns: Callable[[bytes], Columns]
    """Payload to the count of readings, a full column a role (``MISSING`` where a row has none),
    and the source's own numbers of them."""


def pointers(of: MessageFormat) -> dict[str, Pointer]:
    """The declared roles and where they stand."""
    found = {role: pointer(getattr(of, role), of=role) for role in ROLES}
    return {role: where for role, where in found.items() if where is not None}


def single(of: MessageFormat, time: type) -> Single | None:
    """The compiled form of a plain reading a message; None where the format is not that plain."""
    where = pointers(of)
    plain = {"value", "valid_at", "name", "sequence"}
    if of.each is not None or of.columns or of.values or of.first_arrival or set(where) - plain:
        return None
    roles = [role for role in ("value", "valid_at", "name", "sequence") if role in where]
    built = _struct({role: (where[role], _type(role, time)) for role in roles}, required=True)
    if built is None:
        return None
    kind, paths = built
    decode = msgspec.json.Decoder(kind).decode
    take = attrgetter(*(paths[role] for role in roles))
    return Single(lambda payload: take(decode(payload)), "name" in where, "sequence" in where)


def table(of: MessageFormat, time: type) -> Table | None:
    """The compiled form of ``each`` or ``columns``; None where pointers do not allow one."""
    where = pointers(of)
    if of.columns:
        return _columnar(where, time)
    if of.each is not None:
        return _listed(where, pointer(of.each) or (), time)
    return None


def _columnar(where: Mapping[str, Pointer], time: type) -> Table | None:
    types = {role: (at, _column(_type(role, time))) for role, at in where.items()}
    built = _struct(types, required=False)
    if built is None:
        return None
    decode = msgspec.json.Decoder(built[0]).decode
    takes = [(role, attrgetter(path)) for role, path in built[1].items()]

    def columns(payload: bytes) -> Columns:
        message = decode(payload)
        found = {role: take(message) for role, take in takes}
        numbers = found.get("sequence", MISSING)
        return *squared(found), numbers if isinstance(numbers, list) else [numbers]

    return Table(columns)


def squared(found: Mapping[str, Any]) -> tuple[int, dict[str, list[Any]]]:
    """Columns of one length; what stands once is told of every reading.

    Raises:
        ReadingError: no column at all, or columns of different lengths.
    """
    lengths = {role: len(column) for role, column in found.items() if isinstance(column, list)}
    if len(set(lengths.values())) != 1:
        what = ", ".join(f"{role} {n}" for role, n in lengths.items())
        raise ReadingError(f"The columns are not of one length: {what or 'there is none'}.")
    count = next(iter(lengths.values()))
    return count, {
        role: column if role in lengths else [column] * count
        for role, column in found.items()
        if column is not MISSING
    }


def _listed(where: Mapping[str, Pointer], each: Pointer, time: type) -> Table | None:
    types = {role: (at, _type(role, time)) for role, at in where.items()}
    row = _struct(types, required=False)
    if row is None:
        return None
    rows_of: Any = list.__class_getitem__(row[0])
    # What a row lacks is looked up in the message, where it is told once.
    head = _struct({**types, "each": (each, rows_of)}, required=False) if each else None
    if each and head is None:
        return None
    decode = msgspec.json.Decoder(rows_of if head is None else head[0]).decode
    takes = {role: attrgetter(path) for role, path in row[1].items()}
    heads = {} if head is None else {role: attrgetter(path) for role, path in head[1].items()}

    def columns(payload: bytes) -> Columns:
        message = decode(payload)
        rows: Sequence[Any] = heads["each"](message) if heads else message
        found = {}
        for role, take in takes.items():
            column = list(map(take, rows))
            if heads and MISSING in column:
                common = heads[role](message)
                column = [common if entry is MISSING else entry for entry in column]
            found[role] = column
        numbers = found.get("sequence", [])
        if heads and "sequence" in heads:
            numbers = [heads["sequence"](message), *numbers]
        return len(rows), found, numbers

    return Table(columns)


def _type(role: str, time: type) -> Any:  # noqa: ANN401  a msgspec type expression
    return time if role in {"valid_at", "valid_from"} else _TYPES[role]


def _column(entry: Any) -> Any:  # noqa: ANN401
    return list[entry] | entry


def _struct(
    fields: Mapping[str, tuple[Pointer, Any]], *, required: bool
) -> tuple[type[msgspec.Struct], dict[str, str]] | None:
    """A struct with each field where its pointer says, and the attribute path of each.

    None where one pointer leads through another, or through what may be a list.
    """
    tree: dict[str, Any] = {}
    for role, (where, _) in fields.items():
        level = tree
        for token in where[:-1]:
            level = level.setdefault(token, {})
            if not isinstance(level, dict):
                return None
        if not where or where[-1] in level or any(token.isdecimal() for token in where):
            return None
        level[where[-1]] = role
    paths: dict[str, str] = {}
    kinds = {role: kind for role, (_, kind) in fields.items()}
    return _level(tree, "", kinds, paths, required=required), paths


def _level(
    tree: Mapping[str, Any],
    path: str,
    kinds: Mapping[str, Any],
    paths: dict[str, str],
    *,
    required: bool,
) -> type[msgspec.Struct]:
    fields: list[Any] = []
    rename: dict[str, str] = {}
    for number, (token, below) in enumerate(tree.items()):
        attribute = f"f{number}"
        rename[attribute] = token
        if isinstance(below, dict):
            kind = _level(below, f"{path}{attribute}.", kinds, paths, required=required)
        else:
            kind = kinds[below]
            paths[below] = path + attribute
        fields.append((attribute, kind) if required else (attribute, kind | UnsetType, UNSET))
    return msgspec.defstruct("Message", fields, rename=rename, kw_only=True, gc=False)
