"""What runs around a training: it starts torchrun, watches the ranks and tells the operator how they do."""
