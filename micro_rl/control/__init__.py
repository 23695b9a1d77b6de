"""What runs in the loop: the guard, the controller that it belongs to, and the record of what both decided."""
