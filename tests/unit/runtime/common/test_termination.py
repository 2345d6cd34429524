"""The termination message stays whole, short and readable."""

import json
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from lamplighter_runtime.common import termination

ANY_TEXT = st.text(max_size=6000) | st.text('é€🎉\\"\n', max_size=5000)


@given(reason=st.text("abcXYZ", min_size=1, max_size=40), message=ANY_TEXT, tail=st.lists(ANY_TEXT, max_size=25))
def test_a_message_of_any_length_is_whole_json_within_the_limit(reason: str, message: str, tail: list[str]):
    text = termination.render(reason, message, tail, exitCode=1)
    assert len(text.encode()) <= termination.LIMIT
    said = json.loads(text)
    assert said["reason"] == reason
    assert said["exitCode"] == 1
    assert message.startswith(said.get("message", "").removesuffix("…"))


@given(value=st.text(max_size=9000))
def test_a_long_fact_is_shortened_too(value: str):
    assert len(termination.render("Packaged", file=value).encode()) <= termination.LIMIT


def test_the_oldest_lines_of_the_tail_go_first():
    tail = [f"{number:04d} " + "x" * 500 for number in range(20)]
    said = json.loads(termination.render("UserError", "ValueError: boom", tail))
    assert said["message"] == "ValueError: boom"
    assert said["tail"] == tail[-len(said["tail"]) :]
    assert 0 < len(said["tail"]) < 20


def test_what_fits_is_not_shortened():
    said = json.loads(termination.render("Packaged", sha256="ab" * 32, sizeBytes=7, file="model.mar"))
    assert said == {"reason": "Packaged", "sha256": "ab" * 32, "sizeBytes": 7, "file": "model.mar"}


def test_undecodable_output_becomes_valid_utf8():
    assert json.loads(termination.render("UserError", "bad \udcff byte"))["message"] == "bad ? byte"


def test_failing_writes_the_file_says_a_sentence_and_returns_the_code(tmp_path: Path, capsys):
    log = tmp_path / "termination-log"
    environ = {termination.PATH_VARIABLE: str(log)}
    assert termination.fail(environ, "lamplighter-fetch", 67, "ModelNotFound", "no file") == 67
    assert json.loads(log.read_text()) == {"reason": "ModelNotFound", "exitCode": 67, "message": "no file"}
    assert capsys.readouterr().err == "lamplighter-fetch: ModelNotFound (exit code 67): no file\n"


def test_outside_a_pod_there_is_no_file_and_no_error(tmp_path: Path):
    termination.write("{}", {termination.PATH_VARIABLE: str(tmp_path / "missing" / "log")})
