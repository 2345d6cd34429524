"""Pods whose handler fails, or whose archive is not to be trusted."""

import hashlib
from pathlib import Path

import pytest
from tests.serving.conftest import Start
from tests.serving.container import Container, fetch
from tests.serving.handlers import BROKEN, ECHO
from tests.waiting import wait_until

SIGNED = Path(__file__).parents[1] / "unit" / "runtime" / "archive" / "model-signing-1.1.1"


def reason(served: Container) -> str:
    """What /ready says."""
    answer = served.ask(8090, "/ready")[1]
    return f"{answer['reason']}: {answer['message']}" if isinstance(answer, dict) else ""


@pytest.fixture(scope="module", autouse=True)
def broken(starter: Start) -> Container:
    """Cannot load; it fails while others are asked."""
    return starter(BROKEN, "{}", {"cpu": "1"})


@pytest.fixture(scope="module", autouse=True)
def alone(starter: Start) -> Container:
    """Has one worker; it starts while others are asked."""
    return starter(ECHO, "{}", {"cpu": "1"})


def test_a_worker_that_dies_and_cannot_come_back_ends_the_pod_while_the_others_answer(starter: Start) -> None:
    served = starter(ECHO).until_ready()
    served.run("touch", "/tmp/broken")
    assert served.predict(exit=True)[0] == 500
    wait_until("the pod is not ready", lambda: not served.ready(), 2, every=0.02)
    assert "1 of 2 workers are ready; a worker died and is being restarted" in reason(served)
    assert served.predict()[0] == 200
    code, said = served.ended()
    assert (code, said["reason"]) == (68, "WorkerFailed")
    assert "could not load the model: RuntimeError: the weights are gone (handler.py, line 10" in said["message"]


def test_a_request_that_takes_too_long_costs_its_worker_and_says_so(starter: Start) -> None:
    served = starter(ECHO, response_timeout="2s").until_ready()
    assert served.predict(sleep=8)[0] == 500
    wait_until("the worker is seen to be gone", lambda: not served.ready())
    assert "it did not answer within spec.runtime.responseTimeout" in reason(served)
    served.until_ready()


def test_one_death_is_mended_and_the_third_ends_the_pod(alone: Container) -> None:
    alone.until_ready()
    for _ in range(2):
        assert alone.predict(exit=True)[0] == 500
        wait_until("the death is seen", lambda: not alone.ready())
        wait_until("TorchServe has replaced the worker", alone.ready)
        assert alone.predict()[0] == 200
    assert alone.predict(exit=True)[0] == 500
    code, said = alone.ended()
    assert (code, said["reason"]) == (68, "WorkerFailed")
    assert said["message"].startswith("3 workers died within 10 minutes after they had been ready")


def test_a_handler_that_cannot_load_ends_the_pod_with_its_traceback(broken: Container) -> None:
    code, said = broken.ended()
    assert (code, said["reason"]) == (68, "WorkerFailed")
    assert "RuntimeError: no such weights (handler.py, line 3, in initialize)" in said["message"]


@pytest.mark.parametrize(
    ("signature", "key", "code", "told"),
    [
        ("prime256v1", "prime256v1", 0, "Fetched"),
        (None, "prime256v1", 71, "SignatureMissing"),
        ("secp384r1", "prime256v1", 72, "SignatureMismatch"),
    ],
)
def test_only_an_archive_that_was_signed_with_the_right_key_gets_in(
    image: str, tmp_path: Path, signature: str | None, key: str, code: int, told: str
) -> None:
    tmp_path.chmod(0o755)
    tmp_path.parent.chmod(0o755)
    tmp_path.parent.parent.chmod(0o755)
    models = tmp_path / "models"
    models.mkdir()
    archive = (SIGNED / "model.mar").read_bytes()
    (models / "model.mar").write_bytes(archive)
    if signature is not None:
        (models / "model.mar.sig").write_bytes((SIGNED / f"{signature}.sig").read_bytes())
    public = (SIGNED / f"{key}.pub").read_text()
    ended, said = fetch(image, models, tmp_path / "store", hashlib.sha256(archive).hexdigest(), public)
    assert (ended, said["reason"]) == (code, told)
    assert (tmp_path / "store" / "digits.mar").exists() is (code == 0)
