"""The two ways in which a reconcile can fail."""


class TerminalError(Exception):
    """Only the user can fix this. ``reason`` becomes the condition's reason, the text its message."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class TransientError(Exception):
    """Time may fix this: the reconcile is retried with backoff."""
