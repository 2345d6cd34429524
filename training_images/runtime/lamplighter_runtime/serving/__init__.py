"""What runs around TorchServe: its configuration, its readiness, and how it drains."""
