"""From a checked log to a file: one writer per format."""
