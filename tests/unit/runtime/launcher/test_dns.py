"""The wait for a name."""

import socket

import pytest

from lamplighter_runtime.launcher import dns


class Resolver:
    """Fails `failures` times, then resolves."""

    def __init__(self, failures: int) -> None:
        self.failures, self.asked = failures, 0

    def __call__(self, *_: object) -> list[object]:
        self.asked += 1
        if self.asked <= self.failures:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return []


def test_slow_dns_is_waited_for(monkeypatch: pytest.MonkeyPatch):
    resolver = Resolver(failures=5)
    monkeypatch.setattr(socket, "getaddrinfo", resolver)
    pauses: list[float] = []
    assert dns.wait_for_name("digits-0.digits", timeout=600, pause=pauses.append)
    assert resolver.asked == 6
    assert pauses == sorted(pauses)
    assert max(pauses) <= 2


def test_the_wait_ends_after_the_timeout(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(socket, "getaddrinfo", Resolver(failures=10**6))
    assert not dns.wait_for_name("digits-0.digits", timeout=0)


def test_the_wait_ends_when_a_stop_is_asked_for(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(socket, "getaddrinfo", Resolver(failures=10**6))
    answers = iter([False, False, True])
    assert not dns.wait_for_name("digits-0.digits", 600, stopped=lambda: next(answers), pause=lambda _: None)


def test_a_real_name_resolves_at_once():
    assert dns.wait_for_name("localhost", timeout=0)
