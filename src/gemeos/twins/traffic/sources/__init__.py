"""Whatever cities have, made into the folder of a district."""

from gemeos.twins.traffic.sources.bring import Wanted, bring

__all__ = ["Wanted", "bring"]
