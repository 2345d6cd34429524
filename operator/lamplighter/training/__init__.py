"""What a ModelTraining means: from a snapshot to a plan. Pure."""
