"""The checker that ``tools.shapes`` puts around functions.

Only annotations of arrays are looked at: every other type is mypy's, which needs no running.
"""

from __future__ import annotations

import typing
from collections.abc import Callable
from typing import Any, TypeVar

from beartype import beartype
from jaxtyping import AbstractArray

F = TypeVar("F", bound=Callable[..., Any])


def checked(function: F) -> F:
    """``function``, whose arrays are checked at each call."""
    space = vars(typing) | getattr(function, "__globals__", {})
    told = {name: resolved(hint, space) for name, hint in function.__annotations__.items()}
    function.__annotations__ = {name: hint for name, hint in told.items() if has_arrays(hint)}
    return beartype(function)


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
    if isinstance(hint, type) and issubclass(hint, AbstractArray):
        return True
    return any(has_arrays(each) for each in typing.get_args(hint))
