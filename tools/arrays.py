"""The checker that ``tools.shapes`` puts around functions.

Only annotations of arrays are looked at: every other type is mypy's, which needs no running. What
an annotation says of an array depends on its kind of number and its shape alone, so a function is
checked once for each combination of these that it is called with.
"""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable
from functools import partial, wraps
from typing import Any, TypeVar

import numpy as np
from beartype import beartype
from jaxtyping import AbstractArray, jaxtyped

F = TypeVar("F", bound=Callable[..., Any])
SCALARS = (bool, int, float, type(None))


def where_arrays(function: Any = None, *, typechecker: Any) -> Any:  # noqa: ANN401  as jaxtyped
    """``jaxtyped`` around what has an annotated array, and nothing around anything else."""
    if function is None:
        return partial(where_arrays, typechecker=typechecker)
    plain = function.__init__ if inspect.isclass(function) else unwrapped(function)
    told = arrays_of(plain)
    return jaxtyped(function, typechecker=typechecker) if told else function


def unwrapped(function: Any) -> Any:  # noqa: ANN401  a function or what descriptors hold one
    """What the decorators of classes were put around."""
    if isinstance(function, (classmethod, staticmethod)):
        return function.__func__
    return function.fget if isinstance(function, property) else function


def checked(function: F) -> F:
    """``function``, whose arrays are checked where it is called with such for the first time."""
    function.__annotations__ = hints = arrays_of(function)
    sound = beartype(function)
    if not hints or not all(is_told_by_shape(hint) for hint in hints.values()):
        return sound
    seen = set()

    @wraps(sound)
    def looked_up(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        key = (*map(kind, args), *((name, kind(value)) for name, value in kwargs.items()))
        if key in seen:
            return function(*args, **kwargs)
        answer = sound(*args, **kwargs)
        seen.add(key)
        return answer

    return typing.cast("F", looked_up)


def kind(value: object) -> object:
    """All of a value that an annotation of an array can tell apart."""
    if isinstance(value, np.ndarray):
        return type(value), value.shape, value.dtype
    return type(value)


def arrays_of(function: Any) -> dict[str, Any]:  # noqa: ANN401
    """Those annotations that are of arrays, by the names of the parameters."""
    space = vars(typing) | getattr(function, "__globals__", {})
    annotations: dict[str, Any] = getattr(function, "__annotations__", {})
    told = {name: resolved(hint, space) for name, hint in annotations.items()}
    return {name: hint for name, hint in told.items() if has_arrays(hint)}


def resolved(hint: Any, space: dict[str, Any]) -> Any:  # noqa: ANN401  a type expression
    """What the annotation stands for; None where its names are there for mypy only."""
    if not isinstance(hint, str):
        return hint
    try:
        return eval(hint, space)  # noqa: S307  annotations of our own code
    except (NameError, AttributeError):
        return None


def has_arrays(hint: Any) -> bool:  # noqa: ANN401
    """Whether an annotated array is anywhere in it."""
    return is_array(hint) or any(has_arrays(each) for each in typing.get_args(hint))


def is_array(hint: Any) -> bool:  # noqa: ANN401
    """Whether it is an annotated array itself."""
    return isinstance(hint, type) and issubclass(hint, AbstractArray)


def is_told_by_shape(hint: Any) -> bool:  # noqa: ANN401
    """Whether it is of arrays alone, or of something else that its type tells from one."""
    if typing.get_origin(hint) in {typing.Union, types.UnionType}:
        return all(is_array(each) or each in SCALARS for each in typing.get_args(hint))
    return is_array(hint)
