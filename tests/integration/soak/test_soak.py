"""A short soak; `make soak` is the long one."""

import secrets

from tests.programs.soak.soak import Soak


async def test_every_training_comes_to_one_right_end_whatever_fails_meanwhile() -> None:
    seed = secrets.randbelow(2**31)
    print(f"seed {seed}")
    wrong = await Soak(seconds=60, trainings=30, seed=seed).run()
    assert not wrong, f"seed {seed}, {len(wrong)} complaints:\n" + "\n\n".join(wrong[:5])
