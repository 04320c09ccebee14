"""Every error that Gemeos raises on purpose.

Branches are by what the caller can do about it::

    GemeosError
    |-- InputError                 fix what was asked
    |   |-- SchemaError            the declaration, or a name that it lacks
    |   |   |-- DeclarationError   a model's source, told at its line
    |   |   `-- UnknownNameError   (also KeyError) asked for a name that is not there
    |   |-- UnitError              (also ValueError) a unit is missing, unknown or does not fit
    |   |-- TimeError              (also ValueError) a time or a span that cannot be read
    |   |-- ConditionError         (also ValueError) a condition or objective that cannot be read
    |   |-- InterventionError      (also ValueError) a change that cannot be made
    |   |-- SettingsError          (also ValueError) site.toml
    |   `-- ReadingError           (also ValueError) a reading that goes to quarantine
    |-- LinkError                  wait, or look at the connection
    |   |-- OverloadError          too much is waiting; nothing was taken, send it again later
    |   `-- BusyError              too many ask at once; ask again later
    |-- TimelineError              the store
    |   |-- StoreHeldError         another process holds it
    |   |-- StoreFormatError       written by a newer Gemeos
    |   `-- OutOfReachError        (also LookupError) no record reaches back that far
    |-- AssimilationError          distrust the estimate
    |   `-- TooFewMembersError     too many members failed to go on
    |-- EngineError                another's simulator cannot be had: install it, look at its file
    |-- NotReadyError              it is still being worked out; ask again later
    |-- StoppedError               the twin, site, scenario or simulation is not running
    |-- WorkerError                a process that was to run members is gone
    `-- AccessError                the token is missing, unknown, or not enough
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST_NAMES_TOLD = 12


def nearest(asked: str, known: Iterable[str]) -> str:
    """The sentence that helps somebody who mistyped a name: nearest guess, then what there is."""
    names = sorted(known)
    close = get_close_matches(asked, names, n=1)
    guess = f" Did you mean {close[0]!r}?" if close else ""
    if not names:
        return f"{guess} There are none."
    told = ", ".join(names[:MOST_NAMES_TOLD])
    more = len(names) - MOST_NAMES_TOLD
    return f"{guess} There are: {told}{f' and {more} more' if more > 0 else ''}."


class GemeosError(Exception):
    """The root of every error raised on purpose."""


class InputError(GemeosError):
    """What was asked cannot be done as it was asked; the message says how it could."""


class SchemaError(InputError):
    """A declaration contradicts itself."""


class DeclarationError(SchemaError):
    """A model's source cannot be used; the message names the line."""

    def __init__(
        self, what: str, *, file: str, line: int, source: str = "", column: int = 0
    ) -> None:
        """Told as ``file:line: what``, the source line and a caret below it."""
        self.what = what
        self.file = file
        self.line = line
        text = f"{file}:{line}: {what}"
        if source:
            stripped = source.lstrip()
            caret = " " * max(column - (len(source) - len(stripped)), 0) + "^"
            text += f"\n    {stripped.rstrip()}\n    {caret}"
        super().__init__(text)


class UnknownNameError(SchemaError, KeyError):
    """A name that is not there: which, where, and the nearest that is."""

    def __init__(self, kind: str, asked: str, known: Iterable[str], *, where: str = "") -> None:
        """``kind`` is the noun ("variable"); ``where`` names the place that was searched."""
        self.kind = kind
        self.asked = asked
        self.known = tuple(sorted(known))
        place = f"{where} has" if where else "There is"
        super().__init__(f"{place} no {kind} {asked!r}.{nearest(asked, self.known)}")

    @override
    def __str__(self) -> str:  # KeyError would print the repr
        return str(self.args[0])


class UnitError(InputError, ValueError):
    """A unit is missing, unknown, or of another dimension."""


class TimeError(InputError, ValueError):
    """A time, span or zone that cannot be read."""


class ConditionError(InputError, ValueError):
    """A condition such as ``stress > 120 MPa``, or an objective, that cannot be read."""


class InterventionError(InputError, ValueError):
    """A change such as ``ramp to 200 km/h over 2 h`` that cannot be read, or cannot be made."""


class ChoiceError(InterventionError):
    """A value for a control that is a choice of texts, and that is none of them."""


class SettingsError(InputError, ValueError):
    """A setting in site.toml that is unknown, missing or out of range."""


class ReadingError(InputError, ValueError):
    """A reading that cannot be used. It is kept in quarantine with this text."""


class LinkError(GemeosError):
    """A connection to the outside is lost or refused."""


class OverloadError(LinkError):
    """More is waiting to be stored than is allowed to wait."""

    def __init__(self, link: str, waiting: int, most: int) -> None:
        """``waiting`` and ``most`` count readings."""
        self.link = link
        self.waiting = waiting
        self.most = most
        super().__init__(
            f"Link {link!r}: {waiting} readings wait to be stored, and at most {most} may. "
            "None of these was taken; send them again a little later."
        )


class BusyError(LinkError):
    """More is asked at once than is answered at once."""

    def __init__(self, what: str, under_way: int, most: int) -> None:
        """``what`` is the plural noun: ``questions``."""
        self.what = what
        self.under_way = under_way
        self.most = most
        super().__init__(
            f"{under_way} {what} are under way, and at most {most} may be. "
            "Ask again a little later."
        )


class TimelineError(GemeosError):
    """The store cannot do what was asked."""


class StoreHeldError(TimelineError):
    """Another process holds the store."""

    def __init__(self, path: str, pid: int | None) -> None:
        """``pid`` is the holder's, where it could be read."""
        self.path = path
        self.pid = pid
        holder = f"pid {pid}" if pid is not None else "another process"
        super().__init__(
            f"The store {path} is held by {holder}; "
            "ask the running site instead: gm.connect('http://127.0.0.1:8000')."
        )


class StoreFormatError(TimelineError):
    """The store was written by a newer Gemeos."""

    def __init__(self, path: str, found: int, known: int) -> None:
        """``found`` is the version on disk, ``known`` the newest that this Gemeos reads."""
        self.path = path
        self.found = found
        self.known = known
        super().__init__(
            f"The store {path} has format {found}; this Gemeos reads up to format {known}. "
            "Use the newer Gemeos that wrote it; nothing was changed."
        )


class OutOfReachError(TimelineError, LookupError):
    """No record reaches back to the time that was asked for."""


class AssimilationError(GemeosError):
    """The estimate cannot be trusted."""


class TooFewMembersError(AssimilationError):
    """So many members failed that the ensemble no longer says anything."""

    def __init__(self, twin: str, failed: int, members: int, why: str) -> None:
        """``why`` is the first failure that was seen."""
        self.twin = twin
        self.failed = failed
        self.members = members
        super().__init__(
            f"{failed} of {members} members of {twin} failed in one step (first: {why}); "
            "fewer than half are left, so there is no estimate."
        )


class EngineError(GemeosError):
    """Somebody else's simulator, or the file of its model, cannot be used at all."""

    def __init__(self, engine: str, why: str) -> None:
        """``engine`` is what was to be opened; ``why`` says what is missing or wrong."""
        self.engine = engine
        self.why = why
        super().__init__(f"{engine} cannot be opened: {why}")


class NotReadyError(GemeosError):
    """The answer is being worked out; the message says how far it is."""


class StoppedError(GemeosError):
    """The twin, the site or the simulation is not running."""


class WorkerError(GemeosError):
    """A process that was to run members is gone, or cannot be handed what it should run."""


class GuardError(GemeosError):
    """A plan is not applied, and nothing was sent."""

    def __init__(self, plan: str, reasons: Iterable[str]) -> None:
        """``reasons`` are all that speak against it, not the first one found."""
        self.plan = plan
        self.reasons = tuple(reasons)
        super().__init__(f"{plan} is not applied, nothing was sent: {' '.join(self.reasons)}")


class AccessError(GemeosError):
    """The token is missing, unknown, revoked, or its role does not allow this."""
