"""What a table's description may be, guessed from its first rows: a person corrects it, and says the reward."""
