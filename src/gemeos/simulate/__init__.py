"""What moves every member on: the model's port, its two ways of being written, and the step."""
