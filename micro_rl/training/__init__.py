"""A run from start to end: plans, compiled programs, saves, evaluations, sweeps."""
