"""Rollouts are the same whatever carries the requests."""

import pytest
from tests.builders.gateways import GATEWAYS
from tests.builders.routers import ENVOYS, Carrier
from tests.unit.deployment import scenes


@pytest.fixture(params=[ENVOYS, GATEWAYS], ids=["envoy", "gateway"])
def each_provider(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Carrier:
    """The test runs with Envoy pods, and with a made-up provider that has no pods at all."""
    carrier: Carrier = request.param
    monkeypatch.setattr(scenes, "CARRIER", carrier)
    return carrier
