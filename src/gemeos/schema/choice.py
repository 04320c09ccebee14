"""Values that are texts: what people write for a control that is a choice, such as a program.

Bare where it is a word (``night``), else in quotes (``'2'``, ``"half open"``): within quotes no
letter means anything to the wording of changes and choices.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from typing_extensions import override

from gemeos.units import Quantity, quantity

_BARE: Final = re.compile(r"[^\W\d][\w-]*")
_WORDS: Final = frozenset({"ramp", "profile", "times", "renewed", "whole", "after", "for", "when"})
"""They mean something where a value is written."""
_QUOTED: Final = re.compile(r"""(?:(?<=[\s;,=])|^)(?:'[^']*'|"[^"]*")""")
_ASIDE: Final = 0xF0000
"""Plane of letters that nobody writes, where those within quotes wait while a text is split."""
_BASIC: Final = 0x10000


@dataclass(frozen=True, slots=True)
class Text:
    """A value that was written as a text."""

    text: str

    @override
    def __str__(self) -> str:
        """As ``value`` reads it back."""
        if _BARE.fullmatch(self.text) and self.text not in _WORDS:
            return self.text
        mark = '"' if "'" in self.text else "'"
        return f"{mark}{self.text}{mark}"


def shielded(text: str) -> str:
    """``text`` with all that stands in quotes put aside, so that it can be split."""
    return _QUOTED.sub(lambda found: _moved(found[0]), text)


def unshielded(text: str) -> str:
    """As it was written."""
    return "".join(chr(ord(c) - _ASIDE) if _ASIDE <= ord(c) < _ASIDE + _BASIC else c for c in text)


def value(text: str) -> Quantity | Text:
    """Read a value: a number with its unit, or else a text, of whichever variable it is.

    Args:
        text: As somebody wrote it, or a piece of what ``shielded`` gave.

    Raises:
        UnitError: it begins like a number and is none, or there is nothing.
    """
    told = unshielded(text).strip()
    if len(told) > 1 and told[0] in "'\"" and told[-1] == told[0]:
        return Text(told[1:-1])
    if told and told[0] not in "+-.0123456789":
        return Text(told)
    return quantity(told)


def can_be_written(text: str) -> bool:
    """Whether a text can stand in quotes, on one line."""
    return text.isprintable() and not ("'" in text and '"' in text)


def listed(choices: Sequence[str]) -> str:
    """Some texts in words, as they are written."""
    return ", ".join(str(Text(each)) for each in choices)


def _moved(quoted: str) -> str:
    inner = "".join(chr(ord(c) + _ASIDE) if ord(c) < _BASIC else c for c in quoted[1:-1])
    return f"{quoted[0]}{inner}{quoted[-1]}"
