"""What can be said against a log, and what can be mended."""
