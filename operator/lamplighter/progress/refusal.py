"""Why a report is refused."""


class Refusal(Exception):  # noqa: N818 (an answer, not a fault)
    """The HTTP status, what the sender should do, and the seconds after which it may try again."""

    def __init__(self, status: int, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.retry_after = retry_after
