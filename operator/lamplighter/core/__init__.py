"""What both kinds need to be planned: snapshots and plans, names, conditions, what pods say. Pure."""
