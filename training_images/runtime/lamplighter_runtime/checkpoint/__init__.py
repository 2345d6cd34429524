"""Checkpoints on the workspace: writing and verifying them, and selecting the one to resume from."""
