"""The launcher's own words."""

import sys

PROGRAM = "lamplighter-train"


def say(sentence: str) -> None:
    """Write a line of the launcher's own to standard error."""
    print(f"{PROGRAM}: {sentence}", file=sys.stderr, flush=True)
