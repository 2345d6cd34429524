"""The launcher's own log lines."""

import sys

PROGRAM = "lamplighter-train"


def say(sentence: str) -> None:
    """Write a log line to standard error."""
    print(f"{PROGRAM}: {sentence}", file=sys.stderr, flush=True)
