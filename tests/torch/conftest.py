"""Every attempt that a test starts ends with the test."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.torch.launcher import HERE, Attempt


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Attempt]]:
    """What starts an attempt: its number, a script of this folder, the script's arguments, variables by name."""
    attempts: list[Attempt] = []

    def begin(number: int, script: str, *arguments: object, **environ: str) -> Attempt:
        path = HERE / script
        attempts.append(Attempt(tmp_path, number, str(path), *arguments, **environ))
        return attempts[-1]

    yield begin
    for attempt in attempts:
        attempt.kill()
