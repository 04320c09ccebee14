"""Traffic: Eclipse SUMO, microscopic and mesoscopic, through libsumo. ``gemeos[sumo]``."""

from gemeos.engines.sumo.settings import Sumo, needs_sumo, opened

__all__ = ["Sumo", "needs_sumo", "opened"]
