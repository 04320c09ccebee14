"""Forks of the ensemble: forecasts and their scores."""
