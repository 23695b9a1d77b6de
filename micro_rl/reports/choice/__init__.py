"""The page of a choice, its words and its record."""
