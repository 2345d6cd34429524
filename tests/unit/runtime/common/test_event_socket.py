"""Events travel from the ranks to the launcher, with open files where needed, and never hold a rank up."""

import os
import socket
import threading
from pathlib import Path

from lamplighter_runtime.common import event_socket


class Launcher:
    def __init__(self, folder: Path) -> None:
        self.path = folder / "events"
        self.got: list[tuple[event_socket.Event, list[int]]] = []
        self.more = threading.Condition()
        self.receiver = event_socket.Receiver(self.path, self._take)
        self.receiver.start()

    def _take(self, event: event_socket.Event, files: list[int]) -> None:
        if "ranks" in event:
            raise ValueError("malformed")
        with self.more:
            self.got.append((event, files))
            self.more.notify_all()

    def wait_for(self, number: int) -> None:
        with self.more:
            assert self.more.wait_for(lambda: len(self.got) >= number, 10)


def test_events_arrive_in_order_and_with_their_files(tmp_path: Path):
    launcher = Launcher(tmp_path)
    sender = event_socket.Sender(str(launcher.path))
    reading, writing = os.pipe()
    assert sender.send({"event": "alive", "rank": 3})
    sender.send_files({"event": "stream", "rank": 3}, [reading])
    launcher.wait_for(2)
    os.write(writing, b"hello")
    (first, none), (second, (file,)) = launcher.got
    assert (first["event"], none, second["event"]) == ("alive", [], "stream")
    assert os.read(file, 10) == b"hello"
    launcher.receiver.close()
    assert not launcher.receiver.is_alive()
    for each in (reading, writing, file):
        os.close(each)


def test_what_is_malformed_is_passed_over(tmp_path: Path):
    launcher = Launcher(tmp_path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as raw:
        raw.connect(str(launcher.path))
        for data in (b"{", b"[1]", b"\xff", b'{"ranks": 1}'):
            raw.send(data)
    event_socket.Sender(str(launcher.path)).send({"event": "alive"})
    launcher.wait_for(1)
    assert [event["event"] for event, _ in launcher.got] == ["alive"]
    launcher.receiver.close()


def test_a_launcher_that_does_not_listen_never_blocks_a_rank(tmp_path: Path):
    listener = event_socket.Receiver(tmp_path / "events", lambda *_: None)  # never started
    sender = event_socket.Sender(str(tmp_path / "events"))
    sent = [sender.send({"event": "alive"}) for _ in range(5000)]
    assert sent[0]
    assert not sent[-1]
    del listener


def test_without_a_launcher_sending_fails_quietly(tmp_path: Path):
    assert not event_socket.Sender(str(tmp_path / "nobody")).send({"event": "alive"})
    assert not event_socket.Sender(str(tmp_path / ("x" * 200))).send({"event": "alive"})
