"""Gemeos: digital twins kept in step with their originals by live readings."""
