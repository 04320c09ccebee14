"""What somebody wants to see of a district first, and which forecasts are scored."""

from __future__ import annotations

from typing import Final

SCORED_LEADS: Final = ("5 min", "15 min", "30 min")
SHOWN: Final = ("lost", "running", "waiting", "delay")
