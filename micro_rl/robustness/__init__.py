"""Is a policy robust? Perturbed worlds, attacked sensors, the protocols that people use, and what they found."""
