"""Model-free baselines: each a pair of start and update on arrays, and a compiled whole."""
