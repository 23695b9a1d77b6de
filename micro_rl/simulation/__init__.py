"""Logs made as D4RL made its own: an online learner kept on disk, and the levels that are taken from it."""
