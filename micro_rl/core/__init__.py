"""What everything else is built from: types, settings, networks, random numbers, windows, tasks."""
