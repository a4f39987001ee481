"""A user's callable as calls on the set of operations: traced by its framework, replayed by our readers."""
