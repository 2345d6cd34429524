"""What becomes of requests while pods come, go and fail."""

import asyncio

from tests.router.world import A, B, World, backend, both, only, until

from lamplighter.deployment.traffic.types import Forwarding, Traffic

REST = f"rest-{A}"


async def test_a_pod_that_is_gone_costs_only_what_it_was_answering(world: World) -> None:
    pods = [await world.pod(A) for _ in range(3)]
    router = await world.router(only(A))
    async with world.load(router) as load:
        await pods[0].stop()
        world.names.addresses[f"digits-{A}"].remove(pods[0].address)
        await until(f"two pods of {A} are healthy", lambda: router.reading().healthy == {A: 2})
    # What was in flight in the very moment is lost: the pod may have seen it, and nothing is predicted twice.
    told = ("reset", "disconnect", "timeout")
    assert all(any(word in answer for word in told) for answer in load.lost), load.lost
    assert len(load.lost) <= 4
    assert load.count > 20


async def test_a_request_that_reached_nobody_is_tried_on_another_pod(world: World) -> None:
    pods = [await world.pod(A) for _ in range(2)]
    router = await world.router(only(A))
    await pods[0].stop()
    answers = [await world.get(router) for _ in range(10)]
    assert [answer.status for answer in answers] == [200] * 10
    assert len(pods[1].asked) == 10


async def test_a_request_that_a_pod_has_seen_is_never_sent_again(world: World) -> None:
    pods = [await world.pod(A) for _ in range(3)]
    router = await world.router(only(A))
    for pod in pods:
        pod.resets = True
    assert [(await world.get(router)).status for _ in range(10)] == [503] * 10
    assert sum(len(pod.asked) for pod in pods) == 10


async def test_a_pod_that_drains_is_left_and_loses_nothing(world: World) -> None:
    pods = [await world.pod(A) for _ in range(2)]
    router = await world.router(only(A))
    async with world.load(router) as load:
        pods[0].ready = False
        await until(f"one pod of {A} is healthy", lambda: router.reading().healthy == {A: 1})
        pods[0].asked.clear()
        before = load.count
        await until("50 more answers", lambda: load.count > before + 50)
    assert len(pods[0].asked) <= 4  # those that were on their way
    assert load.lost == []


async def test_a_new_pod_is_found(world: World) -> None:
    await world.pod(A)
    router = await world.router(only(A))
    added = await world.pod(A)
    await until(f"two pods of {A} are healthy", lambda: router.reading().healthy == {A: 2})
    async with world.load(router):
        await until("the added pod is asked", lambda: added.asked)


async def test_pods_are_kept_while_the_name_server_says_that_there_are_none(world: World) -> None:
    await world.pod(A)
    router = await world.router(only(A))
    asked = world.names.questions
    world.names.addresses.clear()
    await until("the router has looked for the names again", lambda: world.names.questions > asked + 4)
    world.names.down = True
    await until(f"one pod of {A} is healthy", lambda: router.reading().healthy == {A: 1})
    assert (await world.get(router)).status == 200


async def test_when_every_pod_fails_its_check_they_are_asked_nevertheless(world: World) -> None:
    pods = [await world.pod(A) for _ in range(2)]
    router = await world.router(only(A))
    for pod in pods:
        pod.ready = False
    await until(f"no pod of {A} is healthy", lambda: router.reading().healthy == {A: 0})
    assert (await world.get(router)).status == 200


async def test_answers_of_a_failing_handler_take_no_pod_away(world: World) -> None:
    pods = [await world.pod(A) for _ in range(2)]
    router = await world.router(only(A), Forwarding(timeout=5, consecutive_failures=1, interval=0.1))
    for pod in pods:
        pod.status = 503
    for _ in range(30):
        assert (await world.get(router)).status == 503
    assert sum(len(pod.asked) for pod in pods) == 30
    assert router.reading().healthy == {A: 2}


async def test_a_pod_to_which_no_connection_comes_about_is_left_alone_for_a_while(world: World) -> None:
    deaf, _ = await world.pod(A), await world.pod(A)
    router = await world.router(only(A), Forwarding(timeout=5, consecutive_failures=2, interval=0.1))
    await deaf.stop(8080)
    async with world.load(router, people=1) as load:
        await until(f"one pod of {A} is healthy", lambda: router.reading().healthy == {A: 1})
    assert load.lost == []
    assert router.metric("envoy_cluster_outlier_detection_ejections_active", revision=A, envoy_cluster_name=REST) == 1


async def test_a_revisions_only_pod_is_never_given_up(world: World) -> None:
    pod = await world.pod(A)
    traffic = Traffic((backend(A, max_ready=1),), ((A, 100),))
    router = await world.router(traffic, Forwarding(timeout=5, consecutive_failures=1, interval=0.1))
    await pod.stop(8080)
    for _ in range(5):
        assert (await world.get(router)).status == 503
    assert router.reading().healthy == {A: 1}


async def test_a_revision_without_pods_says_who_should_have_answered(world: World) -> None:
    await world.pod(A)
    router = await world.router(both(0))
    answer = await world.get(router)
    assert (answer.status, answer.revision) == (503, B)
    assert router.reading().healthy == {A: 1, B: 0}


async def test_what_is_in_flight_is_finished_when_its_pod_drains(world: World) -> None:
    pods = [await world.pod(A) for _ in range(2)]
    router = await world.router(only(A))
    pods[0].gate.clear()
    asked = [asyncio.create_task(world.get(router)) for _ in range(6)]
    await until("the first pod is asked", lambda: pods[0].asked)
    pods[0].ready = False
    world.names.addresses[f"digits-{A}"].remove(pods[0].address)
    await until(f"one pod of {A} is healthy", lambda: router.reading().healthy == {A: 1})
    pods[0].gate.set()
    assert [(await task).status for task in asked] == [200] * 6


async def test_a_large_body_that_reached_nobody_is_tried_on_another_pod(world: World) -> None:
    pods = [await world.pod(A) for _ in range(2)]
    router = await world.router(only(A))
    await pods[0].stop()
    answers = [await world.get(router, method="POST", data="x" * 3_000_000) for _ in range(10)]
    assert [answer.status for answer in answers] == [200] * 10
