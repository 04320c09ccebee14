"""Search over numbers and lists, whatever they mean; one file a method, with its paper."""

from gemeos.foresee.search.base import Ending, Evaluate, Found, Members, Progress
from gemeos.foresee.search.choose import Method, fewest_runs, search

__all__ = ["Ending", "Evaluate", "Found", "Members", "Method", "Progress", "fewest_runs", "search"]
