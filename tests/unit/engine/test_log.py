"""Logs are JSON, each line with the object that it is about."""

import asyncio
import json
import logging
from collections.abc import Iterator

import pytest

from lamplighter.engine import log as logs
from lamplighter.engine.queue import Key

log = logging.getLogger("lamplighter.test")


@pytest.fixture(autouse=True)
def configured() -> Iterator[None]:
    """Our logging, and what was there before afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    logs.configure("info")
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.getLogger("lamplighter").setLevel(logging.NOTSET)


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    """What this module logged. What other tests left to the garbage collector may complain at any moment, too."""
    found = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    return [line for line in found if line["logger"] in ("lamplighter.test", "kopf")]


def test_a_line_is_json_with_time_level_logger_and_message(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info")
    log.info("größer %d", 7)
    (line,) = lines(capsys)
    assert (line["level"], line["logger"], line["message"]) == ("INFO", "lamplighter.test", "größer 7")
    assert "time" in line
    assert "namespace" not in line


def test_what_is_logged_in_a_reconcile_names_its_object(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info")
    with logs.about(Key("ModelTraining", "team", "digits")):
        log.warning("blocked", extra={"reason": "Refused"})
    log.info("else")
    inside, outside = lines(capsys)
    about = {field: inside[field] for field in ("kind", "namespace", "object", "reason")}
    assert about == {"kind": "ModelTraining", "namespace": "team", "object": "digits", "reason": "Refused"}
    assert "object" not in outside


async def test_reconciles_that_run_at_the_same_time_do_not_mix(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info")

    async def reconcile(name: str) -> None:
        with logs.about(Key("ModelTraining", "team", name)):
            await asyncio.sleep(0)
            log.info(name)

    await asyncio.gather(*(reconcile(name) for name in "abc"))
    assert [line["object"] for line in lines(capsys)] == ["a", "b", "c"]


def test_an_exception_stays_one_line_with_its_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info")
    try:
        raise ValueError("boom")
    except ValueError:
        log.exception("a bug")
    (line,) = lines(capsys)
    assert "ValueError: boom" in str(line["exc_info"])


def test_the_level_is_for_our_own_logs_and_libraries_speak_from_warning_on(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("debug")
    log.debug("ours")
    logging.getLogger("kopf").info("theirs")
    logging.getLogger("kopf").warning("theirs, and worth it")
    assert [line["message"] for line in lines(capsys)] == ["ours", "theirs, and worth it"]
