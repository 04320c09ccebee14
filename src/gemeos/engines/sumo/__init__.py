"""Traffic: Eclipse SUMO, microscopic and mesoscopic, through libsumo. ``gemeos[sumo]``."""

from gemeos.engines.sumo.settings import Sumo, opened

__all__ = ["Sumo", "opened"]
