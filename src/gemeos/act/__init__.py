"""Act: put a plan into commands, judge them, and tell whether they took."""
