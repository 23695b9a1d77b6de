"""The scripts behind the published figures: `runs/README.md` says which command makes which."""
