"""What `lamplighter_runtime.run` does inside the user's training process."""
