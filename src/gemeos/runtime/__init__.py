"""What does all this by a clock, for one twin or many."""
