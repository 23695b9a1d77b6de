"""Controllers over HTTP: sessions, limits, a description of itself, metrics, a clean stop."""
