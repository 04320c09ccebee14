"""What carries readings in."""
