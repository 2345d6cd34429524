"""When a revision that gets no requests any more is removed."""

import pytest
from tests.builders.gateways import GATEWAYS, REPORT
from tests.builders.scene import Scene
from tests.unit.deployment import scenes
from tests.unit.deployment.scenes import ready, rolling, workloads


def test_where_requests_in_flight_are_not_counted_the_longest_of_them_is_awaited(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(scenes, "CARRIER", GATEWAYS)
    scene, old, new = rolling({"weight": 100})

    def uncounted(scene: Scene) -> None:
        GATEWAYS.follow(scene)
        scene.related[REPORT, "digits"]["active"] = None

    scene.cluster = uncounted
    ready(scene, new).settle()
    assert old in workloads(scene.later(80).settle()), "61 s a request may take, and 30 s more"
    assert workloads(scene.later(20).settle()) == [new]
