"""Every knob comes from the environment."""

import socket

import pytest
from pydantic import ValidationError

from lamplighter.settings import Settings

ALIASES = {"lease_namespace": "POD_NAMESPACE", "identity": "POD_NAME"}
VALUES = {"namespaces": '["a", "b"]', "log_level": "debug", "leader_election": "false", "watch_nodes": "false"} | {
    "progress": "false",
    "router_status": "http://localhost/{pod}",
    "model_status": "http://localhost/{pod}",
    "progress_url": "https://example.com/progress",
    "bad_node_conditions": '["GPULost"]',
}


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(ALIASES.get(name, f"LAMPLIGHTER_{name.upper()}"), raising=False)


@pytest.mark.parametrize("name", list(Settings.model_fields))
def test_each_setting_is_read_from_its_variable(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ALIASES.get(name, f"LAMPLIGHTER_{name.upper()}"), VALUES.get(name, "7"))
    assert getattr(Settings(), name) != getattr(Settings.model_construct(), name)


def test_namespaces_are_a_json_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAMPLIGHTER_NAMESPACES", '["a", "b"]')
    assert Settings().namespaces == ["a", "b"]


def test_without_anything_set_all_namespaces_are_served_by_a_leader() -> None:
    settings = Settings()
    assert settings.namespaces == []
    assert settings.leader_election
    assert settings.identity == socket.gethostname()


@pytest.mark.parametrize(("name", "value"), [("WORKERS", "0"), ("RESYNC", "0"), ("PORT", "70000"), ("WORKERS", "many")])
def test_a_wrong_value_is_refused_with_the_name_of_the_setting(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"LAMPLIGHTER_{name}", value)
    with pytest.raises(ValidationError, match=name.lower()):
        Settings()


def test_the_lease_is_renewed_before_it_runs_out() -> None:
    settings = Settings()
    assert settings.lease_retry_period < settings.lease_renew_deadline < settings.lease_duration


def test_pods_report_to_the_service_in_our_own_namespace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POD_NAMESPACE", "ours")
    assert Settings().progress_url == "http://lamplighter-operator-progress.ours.svc:8081/v1/progress"


@pytest.mark.parametrize(("name", "value"), [("PROGRESS", "false"), ("PROGRESS_URL", "")])
def test_pods_can_be_told_to_report_nothing(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"LAMPLIGHTER_{name}", value)
    assert Settings().progress_url == ""
