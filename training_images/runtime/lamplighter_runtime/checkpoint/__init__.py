"""Checkpoints on the workspace: writing them, and choosing the one to resume from."""
