"""Errors on their way over the wire: raised here, told as a problem, raised there again."""

from __future__ import annotations

from collections.abc import Mapping

from gemeos import errors
from gemeos.errors import (
    AccessError,
    AssimilationError,
    BusyError,
    GemeosError,
    GuardError,
    InputError,
    LinkError,
    NotReadyError,
    OutOfReachError,
    OverloadError,
    StoppedError,
    TimelineError,
    UnknownNameError,
)
from gemeos.serve.messages import Plain, Problem

RETRY_AFTER_S = 1
"""What whoever is refused for overload is told to wait."""

# The first that fits counts: subclasses stand before their parents.
_STATUS: tuple[tuple[type[GemeosError], int], ...] = (
    (UnknownNameError, 404),
    (InputError, 422),
    (BusyError, 429),
    (OverloadError, 429),
    (LinkError, 503),
    (OutOfReachError, 404),
    (TimelineError, 503),
    (AssimilationError, 409),
    (NotReadyError, 409),
    (StoppedError, 503),
    (GuardError, 409),
    (AccessError, 403),
)
_BY_STATUS: Mapping[int, type[GemeosError]] = {
    401: AccessError,
    403: AccessError,
    409: AssimilationError,
    429: BusyError,
    503: StoppedError,
}


def status_of(error: GemeosError) -> int:
    """The HTTP status that says what the caller can do about it."""
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 500)


def problem_of(error: GemeosError) -> Problem:
    """The error as it is sent; a private subclass goes under its public parent's name."""
    known = getattr(error, "known", None)
    asked = getattr(error, "asked", None)
    return Problem(
        error=next(c.__name__ for c in type(error).__mro__ if c.__module__ == errors.__name__),
        message=str(error),
        asked=asked if isinstance(asked, str) else None,
        known=[str(name) for name in known] if isinstance(known, tuple) else None,
        details={
            name: value
            for name, value in vars(error).items()
            if name not in {"asked", "known"} and isinstance(value, Plain)
        },
    )


def error_of(problem: Problem, status: int) -> GemeosError:
    """The same class with the same message and fields, to be raised where the question was asked.

    A class that this Gemeos does not know becomes the nearest by ``status``.
    """
    kind = getattr(errors, problem.error, None)
    if not (isinstance(kind, type) and issubclass(kind, GemeosError)):
        kind = _BY_STATUS.get(status, InputError if 400 <= status < 500 else GemeosError)
    # Constructors make messages from fields; here the message is made already.
    error = kind.__new__(kind, problem.message)
    for name, value in problem.details.items():
        # What is sent may name a field, nothing that an exception has already.
        if not name.startswith("_") and not hasattr(error, name):
            setattr(error, name, value)
    if problem.asked is not None:
        setattr(error, "asked", problem.asked)  # noqa: B010 -- not every class declares it
    if problem.known is not None:
        setattr(error, "known", tuple(problem.known))  # noqa: B010
    return error
