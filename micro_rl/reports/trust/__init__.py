"""The page that says whether a policy is better than what made the log, and how sure that is."""
