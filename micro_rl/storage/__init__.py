"""What is kept on disk: whole files or none, run folders, checkpoints, metrics, locks."""
