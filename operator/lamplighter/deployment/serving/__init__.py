"""What serves a revision, and how it is doing. Pure."""
