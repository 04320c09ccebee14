"""The memory: every reading and decision with both its times.

``base`` is the port; ``memory`` and ``duck`` keep it. Nothing is re-exported: whoever needs the
port alone should not load DuckDB.
"""
