"""What several of these programs share: the environment, the container, its output and its last message."""
