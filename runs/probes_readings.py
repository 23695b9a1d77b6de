"""What each probe is for, and how we read what came of it: the words of docs/results/probes.md."""

STORIES: dict[str, str] = {}
READINGS: dict[str, str] = {}
