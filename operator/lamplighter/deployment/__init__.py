"""What a ModelDeployment means: from a snapshot to a plan. Pure."""
