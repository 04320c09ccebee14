"""What is held: the state of twins as an ensemble, its noise, and estimates drawn from it."""
