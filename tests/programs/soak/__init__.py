"""Many trainings while pods, nodes and operators fail at random, and whether each of them came to one right end."""
