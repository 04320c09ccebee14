"""How a twin stands to its original: one enumeration, everywhere the same."""

from __future__ import annotations

from enum import Enum


class Phase(Enum):
    """How a twin stands to its original."""

    PLANNED = "planned"
    """No original yet: nothing is bound."""
    STARTING = "starting"
    """Fewer than 30 readings assimilated."""
    CATCHING_UP = "catching up"
    """Its event time is behind the site's clock by more than its readings may be late."""
    IN_STEP = "in step"
    DRIFTING = "drifting"
    """A sequential test has rejected at 1 % that spread and error agree."""
    BLIND = "blind"
    """No accepted reading from any channel for five of its usual intervals."""
    FINISHED = "finished"
    """Every source said that nothing more will come."""
    STOPPED = "stopped"
