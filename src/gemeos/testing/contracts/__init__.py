"""The tests that each implementation of a port inherits."""
