"""The memory: every reading and decision with both its times."""
