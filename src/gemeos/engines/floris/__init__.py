"""Wind farms: FLORIS's steady wakes with yawed turbines. ``gemeos[floris]``."""

from gemeos.engines.floris.settings import Floris, opened
from gemeos.engines.floris.steady import Steady

__all__ = ["Floris", "Steady", "opened"]
