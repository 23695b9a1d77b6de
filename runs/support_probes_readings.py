"""What each probe of support is for, and how we read what came of it: the words of docs/results/support-probes.md."""

STORIES: dict[str, str] = dict.fromkeys(("optimist", "pessimist", "agreement", "noise", "plenty"), "")
READINGS: dict[str, str] = dict.fromkeys(STORIES, "")
EDGE = ""
EDGE_READING = ""
