"""Work on more than one machine: runs and fits become tasks, and Ray schedules, retries and watches them."""
