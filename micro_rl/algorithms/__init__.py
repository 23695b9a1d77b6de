"""The algorithms: the compiled epoch, its parts, and a file for every method."""
