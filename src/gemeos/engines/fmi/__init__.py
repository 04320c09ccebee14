"""Models as FMUs: FMI 2 and 3, co-simulation and model exchange, through FMPy. ``gemeos[fmi]``."""

from gemeos.engines.fmi.settings import Fmi, Interface, opened

__all__ = ["Fmi", "Interface", "opened"]
