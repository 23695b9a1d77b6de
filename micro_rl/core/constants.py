"""Numbers that the compiled core and the deployed policy share; nothing is imported here."""

LOG_STD_MIN, LOG_STD_MAX = -5.0, 2.0
"""Bounds the actor's log standard deviation is clamped to, core units, as the authors of MICRO and of IQL clamp it."""
