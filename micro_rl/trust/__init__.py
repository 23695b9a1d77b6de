"""Is a policy better than what made the log, and how sure is that? Judged from the log alone."""
