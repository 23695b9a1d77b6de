"""Runs on the disk, opened from Python: what was learned is asked in raw units."""
