"""Wanting a key by a moment, beside what others want."""

from tests.unit.engine.quick import now, run
from tests.unit.engine.test_queue import A, B, C, taken

from lamplighter.engine.queue import KeyedQueue


def test_a_key_that_is_wanted_by_a_moment_comes_then() -> None:
    async def story() -> None:
        queue = KeyedQueue()
        queue.add_by(A, 60)
        assert (await queue.get(), now()) == (A, 60)

    run(story())


def test_wanting_a_key_by_a_moment_only_ever_brings_it_forward() -> None:
    async def story() -> None:
        queue = KeyedQueue()
        queue.add_after(A, 10)
        queue.add_by(A, 60)
        queue.add_after(B, 60)
        queue.add_by(B, 20)
        queue.add(C)
        queue.add_by(C, 30)
        assert (await queue.get(), now()) == (C, 0)
        assert (await queue.get(), now()) == (A, 10)
        assert (await queue.get(), now()) == (B, 20)
        for key in (A, B, C):
            queue.done(key)
        assert await taken(queue) is None

    run(story())


def test_what_is_wanted_while_a_worker_has_the_key_outlives_its_own_wish() -> None:
    async def story() -> None:
        queue = KeyedQueue()
        queue.add(A)
        await queue.get()
        queue.add_by(A, 10)
        queue.add_by(A, 5)
        queue.add_after(A, 600)
        queue.done(A)
        assert (await queue.get(), now()) == (A, 5)
        queue.add_by(A, 50)
        queue.add_after(A, 20)
        queue.done(A)
        assert (await queue.get(), now()) == (A, 25)
        queue.done(A)
        assert await taken(queue) is None

    run(story())


def test_the_pause_after_a_failure_is_not_shortened() -> None:
    async def story() -> None:
        queue = KeyedQueue(100.0, 100.0)
        queue.add(A)
        delay = queue.retry(await queue.get())
        queue.add_by(A, 1)
        queue.done(A)
        queue.add_by(A, 1)
        assert (await queue.get(), now()) == (A, delay)

    run(story())
