"""Demand: what comes into a district, found from what its loops count, and foreseen."""
