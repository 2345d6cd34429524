"""The server's launcher: it configures TorchServe, judges its readiness, and drains it."""
