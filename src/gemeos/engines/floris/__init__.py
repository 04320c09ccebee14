"""Wind farms: FLORIS's steady wakes with yawed turbines. ``gemeos[floris]``."""

from gemeos.engines.floris.settings import Floris, Machine, opened
from gemeos.engines.floris.steady import Steady

__all__ = ["Floris", "Machine", "Steady", "opened"]
