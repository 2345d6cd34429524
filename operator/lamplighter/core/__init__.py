"""What the plans of both kinds share: snapshots and plans, names, conditions, the states of pods. Pure."""
