"""An informer reports every object and every change, whatever happens to its watch."""

import pytest
from aiohttp import web
from kubernetes.aio.client import Configuration
from kubernetes.aio.config import ConfigException
from tests.unit.informer.api_server import ApiServer, event_line, refuses, says, status
from tests.unit.informer.conftest import Follower

from lamplighter import informer, kube
from lamplighter.engine.api import ApiError
from lamplighter.informer import Patience


async def test_what_exists_is_listed_in_pages_and_then_what_changes_is_watched(server: ApiServer) -> None:
    await server.put("three")
    server.page_size = 2
    async with Follower.of(server) as follower:
        await follower.until_watching()
        assert follower.reports == [("put", "one"), ("put", "three"), ("put", "two"), ("listed", "one three two")]
        listed_at = server.version
        await server.put("four")
        await server.put("one", status={"phase": "Running"})
        await server.delete("two")
        await follower.until_reported("remove", "two")
        assert follower.reports[4:] == [("put", "four"), ("put", "one"), ("remove", "two")]
        assert follower.objects["one"]["status"] == {"phase": "Running"}
    assert [(query["limit"], query.get("continue")) for query in server.lists] == [("500", None), ("500", "two")]
    (watch,) = server.watches
    assert watch["resourceVersion"] == str(listed_at)
    assert watch["allowWatchBookmarks"] == "true"
    assert 300 <= int(watch["timeoutSeconds"]) <= 600
    assert {query["labelSelector"] for query in (*server.lists, watch)} == {"made-by=us"}


async def test_an_empty_listing_is_complete_too(server: ApiServer) -> None:
    await server.delete("one")
    await server.delete("two")
    async with Follower.of(server) as follower:
        await follower.until_reported("listed", "")


async def test_a_watch_that_ended_is_resumed_where_it_was(server: ApiServer) -> None:
    async with Follower.of(server) as follower:
        await follower.until_watching()
        await server.put("three")
        await server.end_watches()
        await server.put("four")
        await follower.until_reported("put", "four")
    assert len(server.lists) == 1
    assert server.watches[1]["resourceVersion"] == str(server.version - 1)
    assert [name for what, name in follower.reports if what == "put"].count("three") == 1


async def test_a_bookmark_moves_the_point_where_a_watch_is_resumed(server: ApiServer) -> None:
    async with Follower.of(server) as follower:
        await follower.until_watching()
        await server.bookmark()
        marked = server.version
        await server.end_watches()
        await follower.until("it watches again", lambda: len(server.watches) == 2)
    assert server.watches[1]["resourceVersion"] == str(marked)


@pytest.mark.parametrize("how", ["in the stream", "as a status"])
async def test_a_watch_that_cannot_be_resumed_begins_with_a_listing(server: ApiServer, how: str) -> None:
    async with Follower.of(server) as follower:
        await follower.until_watching()
        if how == "as a status":
            server.watch_faults.append(refuses(410, "Expired"))
        await server.stop()
        await server.delete("one")
        await server.put("three")
        server.forget_history()
        await server.start()
        await follower.until_reported("listed", "three two")
        assert ("remove", "one") not in follower.reports  # only the listing can tell
        await follower.until_watching()
        await server.put("four")
        await follower.until_reported("put", "four")


async def test_the_death_of_the_api_server_is_outlived(server: ApiServer) -> None:
    async with Follower.of(server) as follower:
        await follower.until_watching()
        await server.stop()
        await server.put("three")
        await server.start()
        await follower.until_reported("put", "three")
    assert len(server.lists) == 1


async def test_half_an_event_is_none(server: ApiServer) -> None:
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "whole", "resourceVersion": "13"}}
    whole, half = event_line("MODIFIED", pod), event_line("ADDED", pod | {"metadata": {"name": "half"}})[:40]
    server.watch_faults.extend(says(whole[:20], whole[20:] + half, then=then) for then in ("breaks", "ends"))
    async with Follower.of(server) as follower:
        await follower.until_watching()
        await server.put("three")
        await server.put("four")
        await follower.until_reported("put", "four")
    assert follower.objects.keys() >= {"one", "two", "four"}
    assert "half" not in follower.objects
    assert len(server.lists) == 1


async def test_a_busy_api_server_is_asked_again(server: ApiServer, caplog: pytest.LogCaptureFixture) -> None:
    server.list_faults.extend([refuses(429, "TooManyRequests"), refuses(503, "ServiceUnavailable")])
    async with Follower.of(server) as follower:
        await follower.until_watching()
    assert len(server.lists) == 3
    assert "the watch of pods in team was interrupted: 429 TooManyRequests: because of TooManyReq" in caplog.text


async def test_an_error_inside_a_watch_interrupts_it(server: ApiServer) -> None:
    async with Follower.of(server) as follower:
        await follower.until_watching()
        await server.tell("ERROR", status(500, "InternalError"))
        await server.put("three")
        await follower.until_reported("put", "three")
        assert len(server.lists) == 1
        await server.tell("ERROR", status(400, "BadRequest"))
        await follower.until("it lists again", lambda: len(server.lists) == 2)


async def test_a_listing_that_expires_between_its_pages_begins_again(server: ApiServer) -> None:
    server.page_size = 1
    server.list_faults.extend([server.list_pods, refuses(410, "Expired")])
    async with Follower.of(server) as follower:
        await follower.until_watching()
    assert follower.reports == [("put", "one"), ("put", "one"), ("put", "two"), ("listed", "one two")]


async def test_an_event_that_cannot_be_read_is_made_up_for_by_a_listing(server: ApiServer) -> None:
    server.watch_faults.append(says(b"no json\n", then="hangs"))
    async with Follower.of(server) as follower:
        await follower.until_watching()
    assert len(server.lists) == 2


async def test_an_event_may_be_large_but_not_endless(server: ApiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(informer, "_LONGEST_EVENT", 3_000_000)
    async with Follower.of(server) as follower:
        await follower.until_watching()
        await server.put("large", data="x" * 2_900_000)
        await follower.until_reported("put", "large")
        assert len(server.lists) == 1
        server.watch_faults.append(says(b"x" * 4_000_000, then="hangs"))
        await server.end_watches()
        await follower.until("it lists again", lambda: len(server.lists) == 2)


async def test_a_watch_on_which_nothing_comes_is_given_up(server: ApiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kube, "_SILENCE", 0.05)
    async with Follower.of(server) as follower:
        await follower.until("it watches again", lambda: len(server.watches) >= 2)
    assert len(server.lists) == 1


async def test_a_token_that_is_renewed_is_used(server: ApiServer) -> None:
    known = ["first"]

    def renew(configuration: Configuration) -> None:
        configuration.api_key["BearerToken"] = f"Bearer {known[-1]}"

    server.token = "first"
    async with Follower.of(server, Patience(first=0.001, longest=0.01, refusals=10_000), renew=renew) as follower:
        await follower.until_watching()
        server.token = "second"
        await server.end_watches()
        await follower.until("the old token is refused", lambda: len(server.lists) >= 2)
        known.append("second")
        await server.put("three")
        await follower.until_reported("put", "three")


async def test_an_informer_that_is_refused_again_and_again_says_why_and_ends(
    server: ApiServer, caplog: pytest.LogCaptureFixture
) -> None:
    async with Follower.of(server, Patience(first=0.001, longest=0.01, refusals=3)) as follower:
        await follower.until_watching()
        server.list_faults.extend(refuses(403, "Forbidden") for _ in range(3))
        server.watch_faults.append(refuses(403, "Forbidden"))
        await server.end_watches()
        with pytest.raises(ApiError, match="403 Forbidden: because of Forbidden"):
            await follower.task
    said = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert len(said) == 2
    assert said[0].startswith("cannot watch pods in team: 403 Forbidden: because of Forbidden. Do the RBAC rules allow")


async def test_a_refusal_that_is_taken_back_is_forgiven(server: ApiServer) -> None:
    async with Follower.of(server, Patience(first=0.001, longest=0.01, refusals=2)) as follower:
        for _ in range(3):
            await follower.until_watching()
            await server.bookmark()
            server.watch_faults.append(refuses(403, "Forbidden"))
            await server.end_watches()
            await follower.until("the refusal", lambda: not server.watch_faults)


async def test_an_informer_whose_receiver_fails_ends(server: ApiServer) -> None:
    async with Follower.of(server) as follower:
        await follower.until_watching()
        follower.objects.clear()
        await server.delete("one")
        with pytest.raises(KeyError):
            await follower.task


async def test_a_token_that_cannot_be_read_now_is_an_interruption_and_no_end(server: ApiServer) -> None:
    failures = iter([OSError("input/output error"), ConfigException("Service token file does not exist.")])

    def renew(_: Configuration) -> None:
        for failure in failures:
            raise failure

    async with Follower.of(server, renew=renew) as follower:
        await follower.until_reported("listed", "one two")


async def test_an_answer_that_is_no_json_is_an_interruption_and_no_end(server: ApiServer) -> None:
    async def proxy(_: web.Request) -> web.Response:
        return web.Response(text="<html>who are you?</html>")

    server.list_faults.append(proxy)
    async with Follower.of(server) as follower:
        await follower.until_reported("listed", "one two")
