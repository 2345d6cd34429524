"""The inner workings of `lamplighter_runtime.run`, inside the user's training process."""
