"""Whose token it is, and how seldom the API server is asked."""

import asyncio
from typing import Any

import pytest
from tests.unit.engine.quick import now, run
from tests.unit.progress.scenes import WALL, a_review, a_scene, a_token

from lamplighter.api.progress import PROGRESS_AUDIENCE
from lamplighter.core.objects import Obj
from lamplighter.engine.api import ApiError
from lamplighter.progress.refusal import Refusal
from lamplighter.progress.tokens import BAD_FOR, GOOD_FOR, REVIEW_S, REVIEWS, WAITING, Caller, Tokens

POD = a_scene()[2]
GOOD = a_review(POD)
BAD = {"authenticated": False}


class Reviewer:
    """Answers after a second what it was told to answer, and counts."""

    def __init__(self, answer: Obj | Exception, takes: float = 1.0) -> None:
        self.answer = answer
        self.takes = takes
        self.asked = 0
        self.at_once = 0
        self.most_at_once = 0

    async def review_token(self, token: str, audience: str) -> Obj:
        """The status of a TokenReview."""
        assert (bool(token), audience) == (True, PROGRESS_AUDIENCE)
        self.asked += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await asyncio.sleep(self.takes)
        finally:
            self.at_once -= 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def tokens(reviewer: Reviewer) -> Tokens:
    """Wall clock and loop clock go together."""
    return Tokens(reviewer, wall=lambda: WALL + now())


async def outcome(known: Tokens, token: str = a_token(), address: str = "10.0.0.1") -> Any:
    """The caller, or the status of the refusal."""
    try:
        return await known.caller(token, address)
    except Refusal as refusal:
        return refusal.status


def test_the_caller_is_the_pod_that_the_token_is_bound_to() -> None:
    meta = POD["metadata"]
    assert run(outcome(tokens(Reviewer(GOOD)))) == Caller("team", meta["name"], meta["uid"], since=1)


@pytest.mark.parametrize(
    ("review", "status"),
    [
        (BAD, 401),
        ({}, 401),
        (a_review(POD, authenticated="true"), 401),
        (a_review(POD, audiences=["https://kubernetes.default.svc"]), 401),
        (a_review(POD, audiences=None), 401),
        (a_review(POD, user={"username": "system:serviceaccount:team:default"}), 403),
        (a_review(POD, user={**GOOD["user"], "username": "alice"}), 403),
        (a_review(POD, user={**GOOD["user"], "username": "system:serviceaccount:a:b:c"}), 403),
        (a_review(POD, user={**GOOD["user"], "extra": {"authentication.kubernetes.io/pod-name": ["a", "b"]}}), 403),
        (a_review(POD, user=None), 403),
    ],
)
def test_who_is_no_pod_for_us_is_refused(review: Obj, status: int) -> None:
    assert run(outcome(tokens(Reviewer(review)))) == status


@pytest.mark.parametrize(
    "token",
    [
        "",
        "nonsense",
        "a.b",
        "a.b.c",
        "..",
        "é.é.é",
        a_token(expires=WALL - 1),
        a_token(expires="never"),  # type: ignore[arg-type]
        a_token(audience="somebody.else"),
        a_token(audience=None),
        a_token(audience=["somebody.else"]),
    ],
)
def test_what_cannot_be_a_token_of_ours_is_refused_unseen(token: str) -> None:
    reviewer = Reviewer(GOOD)
    assert run(outcome(tokens(reviewer), token)) == 401
    assert reviewer.asked == 0


def test_an_audience_among_others_will_do() -> None:
    assert isinstance(run(outcome(tokens(Reviewer(GOOD)), a_token(audience=["other", PROGRESS_AUDIENCE]))), Caller)


def asked_again(first: Obj, then: Obj, *, after: float, expires: float = WALL + 3600) -> tuple[Any, int]:
    """What the second question gets, and how often the API server was asked in all."""

    async def story() -> tuple[Any, int]:
        reviewer = Reviewer(first)
        known, token = tokens(reviewer), a_token(expires=expires)
        await outcome(known, token)
        reviewer.answer = then
        await asyncio.sleep(after)
        return await outcome(known, token), reviewer.asked

    return run(story())


def test_an_answer_is_remembered_for_a_while() -> None:
    found, asked = asked_again(GOOD, BAD, after=GOOD_FOR - 1)
    assert (isinstance(found, Caller), asked) == (True, 1)
    assert asked_again(GOOD, BAD, after=GOOD_FOR) == (401, 2)


def test_an_answer_is_not_remembered_beyond_the_end_of_the_token() -> None:
    found, asked = asked_again(GOOD, BAD, after=50, expires=WALL + 60)
    assert (isinstance(found, Caller), asked) == (True, 1)
    assert asked_again(GOOD, GOOD, after=60, expires=WALL + 60) == (401, 1)


def test_a_refusal_is_remembered_for_some_seconds() -> None:
    assert asked_again(BAD, GOOD, after=BAD_FOR - 1) == (401, 1)
    found, asked = asked_again(BAD, GOOD, after=BAD_FOR)
    assert (isinstance(found, Caller), asked) == (True, 2)


def test_many_that_bring_the_same_token_share_one_review() -> None:
    async def story() -> None:
        reviewer = Reviewer(GOOD)
        known = tokens(reviewer)
        impatient = asyncio.create_task(outcome(known))
        others = [asyncio.create_task(outcome(known)) for _ in range(50)]
        await asyncio.sleep(0.5)
        impatient.cancel()  # a client that hangs up does not cancel the review for others
        assert all(isinstance(found, Caller) for found in await asyncio.gather(*others))
        assert reviewer.asked == 1

    run(story())


def test_few_reviews_run_at_the_same_time_and_few_wait() -> None:
    async def story() -> list[Any]:
        reviewer = Reviewer(GOOD)
        known = tokens(reviewer)
        found = await asyncio.gather(*(outcome(known, a_token(number)) for number in range(WAITING + 50)))
        assert reviewer.most_at_once == REVIEWS
        return found

    found = run(story())
    assert found.count(503) == 50
    assert sum(isinstance(one, Caller) for one in found) == WAITING


def test_a_flood_of_bad_tokens_is_not_a_flood_of_reviews_and_harms_no_other_sender() -> None:
    async def story() -> None:
        reviewer = Reviewer(BAD, takes=0.01)
        known = tokens(reviewer)
        found = await asyncio.gather(*(outcome(known, a_token(number)) for number in range(200)))
        assert set(found) == {401, 429}
        assert reviewer.asked <= 10 + REVIEWS
        reviewer.answer = GOOD
        assert isinstance(await outcome(known, a_token(1000), address="10.0.0.2"), Caller)

    run(story())


@pytest.mark.parametrize("trouble", [ApiError(500, "InternalError", "etcd"), ApiError(403, "Forbidden", "no")])
def test_an_api_server_that_fails_is_left_alone_for_a_second(trouble: ApiError) -> None:
    async def story() -> None:
        reviewer = Reviewer(trouble)
        known = tokens(reviewer)
        assert await outcome(known) == 503
        reviewer.answer = GOOD
        assert (await outcome(known), reviewer.asked) == (503, 1)
        await asyncio.sleep(1)
        assert isinstance(await outcome(known), Caller)

    run(story())


def test_an_api_server_that_does_not_answer_is_not_waited_for() -> None:
    async def story() -> None:
        assert await outcome(tokens(Reviewer(GOOD, takes=3600))) == 503
        assert now() == REVIEW_S

    run(story())
