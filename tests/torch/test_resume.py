"""A training that is killed at random points ends with the very weights of an undisturbed one."""

import os
import random
import signal
import time
from collections.abc import Callable

import pytest
from tests.torch.launcher import HERE, Attempt

STEPS, EVERY = 40, 5


def lose_the_node(attempt: Attempt, _chance: random.Random) -> None:
    attempt.kill()


def kill_a_rank(attempt: Attempt, chance: random.Random) -> None:
    os.kill(chance.choice(attempt.ranks()), signal.SIGKILL)
    assert attempt.end() == 137
    assert attempt.message["message"] == "a rank was terminated by SIGKILL"


def stop(attempt: Attempt, _chance: random.Random) -> None:
    attempt.process.terminate()
    assert attempt.end() == 143, attempt.output
    assert attempt.message["reason"] == "Terminated"
    assert attempt.message["checkpointStep"] == attempt.message["step"] == attempt.steps[-1]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The digest of the weights after STEPS steps in one go."""
    attempt = Attempt(tmp_path_factory.mktemp("undisturbed"), 1, str(HERE / "ddp.py"), STEPS, STEPS + 1, "plain")
    assert attempt.end() == 0, attempt.output
    assert attempt.steps == list(range(1, STEPS + 1))
    message = attempt.message
    assert (message["reason"], message["step"], message["total"]) == ("Succeeded", STEPS, STEPS)
    assert message["samplesPerSecond"] > 0
    return attempt.wait_for(r"weights (\w+)").group(1)


@pytest.mark.parametrize("kind", ["plain", "dcp"])
def test_killed_at_random_points_it_ends_with_the_same_weights(
    start: Callable[..., Attempt], undisturbed: str, kind: str
):
    seed = int(os.environ.get("LAMPLIGHTER_TEST_SEED", random.SystemRandom().randrange(10**6)))
    print(f"LAMPLIGHTER_TEST_SEED={seed}")  # pytest shows it with a failure
    chance = random.Random(seed)
    blows = chance.sample([stop, chance.choice([lose_the_node, kill_a_rank])], 2 if kind == "plain" else 1)
    made = 0
    for number, blow in enumerate(blows, 1):
        step = made + chance.randint(1, (STEPS - 10 - made) // (len(blows) + 1 - number))
        attempt = start(number, "ddp.py", STEPS, EVERY, kind, TEST_GATE=str(step + 3))
        attempt.wait_for(f"step {step}")
        time.sleep(chance.uniform(0, 0.1))
        blow(attempt, chance)
        assert attempt.steps[0] > made - EVERY
        made = attempt.steps[-1]
    last = start(len(blows) + 1, "ddp.py", STEPS, EVERY, kind)
    assert last.end() == 0, last.output
    assert made - EVERY < last.steps[0] <= made + 1
    assert last.wait_for(r"weights (\w+)").group(1) == undisturbed
    assert last.wait_for(r"groups left (\d+ of \d+)").group(1) == "0 of 1"  # threads of a group abort at the exit
