"""Where nodes meet, and the wait for a name."""

import socket

import pytest

from lamplighter_runtime.launcher import rendezvous
from lamplighter_runtime.launcher.rendezvous import Rendezvous


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
    assert rendezvous.wait_for_name("digits-0.digits", timeout=600, pause=pauses.append)
    assert resolver.asked == 6
    assert pauses == sorted(pauses)
    assert max(pauses) <= 2


def test_the_wait_ends_after_the_timeout(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(socket, "getaddrinfo", Resolver(failures=10**6))
    assert not rendezvous.wait_for_name("digits-0.digits", timeout=0)


def test_the_wait_ends_when_a_stop_is_asked_for(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(socket, "getaddrinfo", Resolver(failures=10**6))
    answers = iter([False, False, True])
    assert not rendezvous.wait_for_name("digits-0.digits", 600, stopped=lambda: next(answers), pause=lambda _: None)


def test_a_real_name_resolves_at_once():
    assert rendezvous.wait_for_name("localhost", timeout=0)


STATIC = {"PET_NNODES": "2", "PET_MASTER_ADDR": "a-0.a.ns.svc", "PET_MASTER_PORT": "29500", "PET_NODE_RANK": "1"}
C10D = {"PET_NNODES": "1:2", "PET_RDZV_BACKEND": "c10d", "PET_RDZV_ENDPOINT": "a-0.a.ns.svc:29400"}


@pytest.mark.parametrize(
    ("environ", "meeting"),
    [
        (STATIC, Rendezvous("a-0.a.ns.svc", 29500, elastic=False, first=False)),
        ({**C10D, "JOB_COMPLETION_INDEX": "0"}, Rendezvous("a-0.a.ns.svc", 29400, elastic=True, first=True)),
        ({**C10D, "JOB_COMPLETION_INDEX": "1"}, Rendezvous("a-0.a.ns.svc", 29400, elastic=True, first=False)),
        ({**STATIC, "PET_NNODES": "1"}, None),
        ({"PET_STANDALONE": "1"}, None),
        ({}, None),
    ],
)
def test_only_several_nodes_meet(environ: dict[str, str], meeting: Rendezvous | None):
    assert rendezvous.configured(environ) == meeting


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        (STATIC, "timeout=900"),
        ({**STATIC, "PET_RDZV_CONF": "timeout=5"}, "timeout=5"),
        ({**C10D, "JOB_COMPLETION_INDEX": "0"}, "join_timeout=900,is_host=true"),
        (
            {**C10D, "JOB_COMPLETION_INDEX": "3", "PET_RDZV_CONF": "last_call_timeout=9"},
            "last_call_timeout=9,join_timeout=900,is_host=false",
        ),
    ],
)
def test_torchrun_waits_for_slow_peers_unless_configured_otherwise(environ: dict[str, str], expected: str):
    options = rendezvous.options(environ, rendezvous.configured(environ), 900)
    assert options["PET_RDZV_CONF"] == expected


def test_a_single_node_needs_no_rendezvous_options():
    assert rendezvous.options({}, None, 900) == {}
