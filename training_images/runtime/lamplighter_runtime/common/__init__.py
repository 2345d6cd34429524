"""What several programs share: the environment, cgroup, signals, output, and the termination message."""
