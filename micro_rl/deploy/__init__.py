"""A policy on its way to where it acts: exported as one file of Python, or as C for a controller."""
