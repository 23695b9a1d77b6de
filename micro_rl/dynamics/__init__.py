"""The learned model of a system: its ensemble, fit, quality and when its episodes end."""
