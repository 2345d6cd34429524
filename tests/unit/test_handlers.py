"""What the operator relies on inside Kopf is still there."""

import inspect

from kopf._cogs.clients import watching
from kopf._core.reactor import orchestration, queueing

from lamplighter import handlers


def test_kopf_still_starts_its_watchers_through_the_name_that_is_replaced() -> None:
    source = inspect.getsource(orchestration.spawn_missing_watchers)
    assert "queueing.watcher(" in source
    assert orchestration.queueing is queueing


def test_kopfs_stream_still_takes_what_it_is_given_and_marks_the_end_of_a_listing() -> None:
    parameters = inspect.signature(watching.infinite_watch).parameters
    assert {"settings", "resource", "namespace", "operator_paused"} <= parameters.keys()
    assert "yield Bookmark.LISTED" in inspect.getsource(watching.continuous_watch)


def test_nothing_is_watched_but_what_the_table_says() -> None:
    assert "secrets" not in handlers.WATCHED
    assert set(handlers.WATCHED) == {
        "configmaps",
        "controllerrevisions",
        "deployments",
        "jobs",
        "modeldeployments",
        "modeltrainings",
        "networkpolicies",
        "nodes",
        "persistentvolumeclaims",
        "poddisruptionbudgets",
        "pods",
        "services",
    }
