"""How far a run is, and how long it will still take, told on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping


class Progress:
    """Goes through subjects whose usual durations are known."""

    def __init__(self, expected_s: Mapping[str, float]) -> None:
        """``expected_s``: how long each subject usually takes, in the order of the run."""
        self._expected = dict(expected_s)
        self._ahead = list(expected_s)
        self._now = ""
        self._began = time.monotonic()

    def begin(self, subject: str) -> None:
        """This one is next."""
        self._ahead.remove(subject)
        self._now, self._began = subject, time.monotonic()
        self.say("begins")

    def say(self, what: str) -> None:
        """Tell what is done now, and how long all of it will still take."""
        spent = time.monotonic() - self._began
        left = max(self._expected.get(self._now, 0.0) - spent, 0.0)
        left += sum(self._expected[name] for name in self._ahead)
        number = len(self._expected) - len(self._ahead)
        minutes, seconds = divmod(round(left), 60)
        sys.stderr.write(
            f"[{number}/{len(self._expected)}] {self._now}: {what}; "
            f"about {minutes} min {seconds:02d} s left\n"
        )
        sys.stderr.flush()
