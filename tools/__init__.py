"""Programs of the repository: the gate, the figures, the makers of shipped extracts."""
