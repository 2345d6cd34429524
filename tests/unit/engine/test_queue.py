"""Each key at most once, one worker at a time per key, delays, and backoff."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.engine.quick import now, run

from lamplighter.engine.queue import Key, KeyedQueue

A, B, C = (Key("ModelTraining", "team", name) for name in "abc")


async def taken(queue: KeyedQueue) -> Key | None:
    """The next key, or None when none comes within a day."""
    try:
        return await asyncio.wait_for(queue.get(), 86_400)
    except TimeoutError:
        return None


def test_a_key_that_is_added_twice_comes_once() -> None:
    async def story() -> None:
        queue = KeyedQueue()
        queue.add(A)
        queue.add(A)
        assert len(queue) == 1
        assert await queue.get() == A
        queue.done(A)
        assert queue.idle

    run(story())


def test_keys_come_in_the_order_in_which_they_were_added() -> None:
    async def story() -> None:
        queue = KeyedQueue()
        for key in (B, A, C, A):
            queue.add(key)
        assert [await queue.get() for _ in range(3)] == [B, A, C]

    run(story())


def test_new_keys_come_before_all_others_and_once() -> None:
    async def story() -> None:
        queue = KeyedQueue()
        queue.add(A)
        queue.add(C, new=True)
        queue.add(B, new=True)
        queue.add(C)
        assert (len(queue), queue.new_ones_wait) == (3, True)
        assert [await queue.get() for _ in range(2)] == [C, B]
        assert (len(queue), queue.new_ones_wait) == (1, False)
        assert await queue.get() == A

    run(story())


def test_a_queue_in_which_only_a_new_key_waits_is_not_idle_and_not_after_it_was_drained_in_a_hurry() -> None:
    async def story() -> None:
        queue = KeyedQueue()
        queue.add(A, new=True)
        assert not queue.idle
        await queue.drained()
        assert not queue.new_ones_wait

    run(story())


def test_a_stream_of_new_keys_does_not_hold_up_the_others_for_ever() -> None:
    async def story() -> None:
        queue = KeyedQueue()
        queue.add(A)
        for number in range(100):
            queue.add(Key("ModelTraining", "team", f"new-{number}"), new=True)
        assert A in [await queue.get() for _ in range(20)]

    run(story())


def test_a_key_that_waits_already_keeps_its_place() -> None:
    async def story() -> None:
        queue = KeyedQueue()
        for key in (B, A):
            queue.add(key)
        queue.add(A, new=True)
        assert [await queue.get() for _ in range(2)] == [B, A]
        assert len(queue) == 0

    run(story())


def test_a_key_that_is_added_while_it_is_worked_on_comes_again_when_that_is_done() -> None:
    async def story() -> None:
        queue = KeyedQueue()
        queue.add(A)
        await queue.get()
        queue.add(A)
        queue.add(A)
        assert len(queue) == 0
        queue.done(A)
        assert len(queue) == 1
        assert await queue.get() == A
        queue.done(A)
        assert await taken(queue) is None

    run(story())


def test_no_key_is_ever_with_two_workers_and_none_is_forgotten() -> None:
    async def story() -> None:
        queue, working, seen = KeyedQueue(), set[Key](), list[Key]()

        async def worker() -> None:
            while True:
                key = await queue.get()
                assert key not in working
                working.add(key)
                seen.append(key)
                await asyncio.sleep(1)
                working.remove(key)
                queue.done(key)

        workers = [asyncio.create_task(worker()) for _ in range(4)]
        for second in range(20):
            for key in (A, B) if second % 2 else (A, C):
                queue.add(key)
            await asyncio.sleep(0.3)
        await asyncio.sleep(10)
        assert queue.idle
        assert {A, B, C} == set(seen)
        assert all(not task.done() for task in workers)
        for task in workers:
            task.cancel()

    run(story())


def test_a_delayed_key_comes_when_its_time_has_come() -> None:
    async def story() -> None:
        queue = KeyedQueue()
        queue.add_after(A, 60)
        assert queue.idle
        assert await queue.get() == A
        assert now() == 60

    run(story())


def test_a_later_wish_replaces_an_earlier_one_in_either_direction() -> None:
    async def story() -> None:
        queue = KeyedQueue()
        queue.add_after(A, 10)
        queue.add_after(A, 60)
        queue.add_after(B, 60)
        queue.add_after(B, 10)
        assert (await queue.get(), now()) == (B, 10)
        assert (await queue.get(), now()) == (A, 60)
        queue.done(A)
        queue.done(B)
        assert await taken(queue) is None

    run(story())


def test_adding_a_delayed_key_forgets_the_delay() -> None:
    async def story() -> None:
        queue = KeyedQueue()
        queue.add_after(A, 60)
        queue.add(A)
        assert (await queue.get(), now()) == (A, 0)
        queue.done(A)
        assert await taken(queue) is None

    run(story())


def test_a_delay_that_ends_while_the_key_is_worked_on_is_not_lost() -> None:
    async def story() -> None:
        queue = KeyedQueue()
        queue.add(A)
        await queue.get()
        queue.add_after(A, 5)
        await asyncio.sleep(30)
        queue.done(A)
        assert (await queue.get(), now()) == (A, 30)

    run(story())


def test_a_negative_delay_is_none() -> None:
    async def story() -> None:
        queue = KeyedQueue()
        queue.add_after(A, -5)
        assert (await queue.get(), now()) == (A, 0)

    run(story())


@given(failures=st.integers(1, 100), first=st.floats(0.01, 10), longest=st.floats(10, 1000))
def test_backoff_doubles_with_jitter_and_has_a_bound(failures: int, first: float, longest: float) -> None:
    async def story() -> float:
        queue = KeyedQueue(first, longest)
        return [queue.retry(A) for _ in range(failures)][-1]

    full = min(first * 2.0 ** min(failures - 1, 1000), longest)
    assert full / 2 <= run(story()) <= full


def test_backoff_differs_so_that_not_all_come_back_at_once() -> None:
    async def story() -> set[float]:
        queue = KeyedQueue(1.0, 100.0)
        return {queue.retry(Key("ModelTraining", "team", str(number))) for number in range(20)}

    assert len(run(story())) > 10


def test_backoff_waits_as_long_as_the_server_asks() -> None:
    async def story() -> float:
        return KeyedQueue(0.5, 10.0).retry(A, at_least=30)

    assert run(story()) == 30


def test_a_success_begins_anew() -> None:
    async def story() -> float:
        queue = KeyedQueue(1.0, 1000.0)
        for _ in range(8):
            queue.retry(A)
        queue.succeeded(A)
        return queue.retry(A)

    assert run(story()) <= 1


def test_a_failed_key_comes_back_after_its_pause() -> None:
    async def story() -> None:
        queue = KeyedQueue(8.0, 100.0)
        queue.add(A)
        delay = queue.retry(await queue.get())
        queue.done(A)
        assert (await queue.get(), now()) == (A, delay)

    run(story())


def test_draining_waits_for_the_workers_and_hands_out_nothing_more() -> None:
    async def story() -> None:
        queue = KeyedQueue()
        queue.add(A)
        queue.add(B)
        assert await queue.get() == A
        asyncio.get_running_loop().call_later(7, queue.done, A)
        await queue.drained()
        assert now() == 7
        assert await taken(queue) is None

    run(story())


def test_an_idle_queue_is_drained_at_once() -> None:
    run(KeyedQueue().drained())


def test_the_longest_wait_counts_keys_that_wait_and_keys_that_are_worked_on() -> None:
    async def story() -> None:
        queue = KeyedQueue()
        assert queue.longest_wait() == 0
        queue.add(A)
        await asyncio.sleep(10)
        assert queue.longest_wait() == 10
        await queue.get()
        assert queue.longest_wait() == 0
        await asyncio.sleep(20)
        queue.add(B)
        assert queue.longest_wait() == 20
        queue.done(A)
        assert queue.longest_wait() == 0

    run(story())


def test_a_key_that_is_only_delayed_does_not_count_as_waiting() -> None:
    async def story() -> None:
        queue = KeyedQueue()
        queue.add_after(A, 1000)
        await asyncio.sleep(500)
        assert queue.longest_wait() == 0

    run(story())
