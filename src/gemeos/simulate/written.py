"""Hash of a class as it is written: the identity of models that are not lowered.

Source is normalised, so that comments and blank lines do not matter; functions and numbers that
the methods name are followed as long as they lie in the class's own package.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import textwrap
from collections.abc import Iterator
from types import CodeType, FunctionType, ModuleType
from typing import Any

from gemeos.schema.declare import Out


def written_hash(cls: type, beside: str) -> str:
    """SHA-256 of ``beside``, of the methods of ``cls`` and of what they use of its package."""
    return hashlib.sha256("\n".join([beside, *_texts(cls)]).encode()).hexdigest()


def _texts(cls: type) -> Iterator[str]:
    package = cls.__module__.partition(".")[0]
    queue = [f for f in map(_function, vars(cls).values()) if f is not None]
    # The decorator's own additions are not the user's writing.
    queue = [f for f in queue if f.__module__ == cls.__module__]
    seen: set[FunctionType] = set()
    while queue:
        function = queue.pop(0)
        if function in seen or function.__module__.partition(".")[0] != package:
            continue
        seen.add(function)
        yield f"{function.__qualname__}: {_written(function)}"
        for name, found in sorted(_used(function).items()):
            if isinstance(found, FunctionType):
                queue.append(found)
            elif isinstance(found, bool | int | float | str | tuple):
                yield f"{name} = {found!r}"


def _function(found: object) -> FunctionType | None:
    match found:
        case FunctionType():
            return found
        case Out(method=FunctionType() as function):
            return function
        case property(fget=FunctionType() as function):
            return function
        case staticmethod(__func__=FunctionType() as function):
            return function
        case _:
            return None


def _written(function: FunctionType) -> str:
    try:
        return ast.unparse(ast.parse(textwrap.dedent(inspect.getsource(function))))
    except (OSError, SyntaxError):  # typed at a prompt, or a lambda amid a line
        return " ".join(_told(function.__code__))


def _told(code: CodeType) -> Iterator[str]:
    yield code.co_code.hex()
    yield repr(code.co_names)
    for const in code.co_consts:
        if isinstance(const, CodeType):
            yield from _told(const)
        else:
            yield repr(const)


def _names(code: CodeType) -> set[str]:
    inner = (_names(c) for c in code.co_consts if isinstance(c, CodeType))
    return {*code.co_names, *code.co_freevars}.union(*inner)


def _used(function: FunctionType) -> dict[str, Any]:
    """What the function's names stand for outside it, as far as they have a value now."""
    names = _names(function.__code__)
    found = {n: function.__globals__[n] for n in names if n in function.__globals__}
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    for name, cell in cells:
        try:
            found[name] = cell.cell_contents
        except ValueError:  # filled later, as a class's own name within its body
            continue
    modules = [m for m in found.values() if isinstance(m, ModuleType)]
    for module in modules:
        for name in names & vars(module).keys():
            found[f"{module.__name__}.{name}"] = vars(module)[name]
    return found
