"""What is declared: variables with units and priors, parts, readings."""
