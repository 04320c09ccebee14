"""Models that tests build into FMUs."""
