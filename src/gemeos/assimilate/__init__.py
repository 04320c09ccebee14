"""What keeps an ensemble in step with readings."""
