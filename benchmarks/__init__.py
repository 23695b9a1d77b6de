"""What is measured and how: `python -m benchmarks` prints the speed table of this machine."""
