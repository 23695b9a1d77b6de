"""What a controller's record shows: its alarms, how far columns have drifted from the log, what was obtained."""
