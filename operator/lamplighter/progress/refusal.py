"""Why a report is not taken."""


class Refusal(Exception):  # noqa: N818 (an answer, not a fault)
    """The HTTP status, what the sender should do, and after how many seconds it may try again."""

    def __init__(self, status: int, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.retry_after = retry_after
