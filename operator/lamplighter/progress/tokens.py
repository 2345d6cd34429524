"""Which pod a token belongs to, by TokenReview; answers are cached for a while.

A flood of invalid tokens must not become a flood of TokenReviews. A token that cannot be one of ours is refused
without a review, a token is reviewed once, few reviews run at a time, and senders of invalid tokens are rate-limited.
"""

import asyncio
import base64
import hashlib
import logging
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import orjson

from lamplighter.api.progress import PROGRESS_AUDIENCE
from lamplighter.core.objects import Obj
from lamplighter.engine import metrics
from lamplighter.engine.api import ApiError
from lamplighter.progress.bounded import Bounded
from lamplighter.progress.rate_limit import RateLimit
from lamplighter.progress.refusal import Refusal

GOOD_FOR = 300.0
BAD_FOR = 10.0
"""Seconds that an answer is cached."""
REVIEWS = 8
"""Reviews at the same time."""
WAITING = 256
"""Tokens that are being reviewed or wait for a review."""
REVIEW_S = 5.0
PAUSE_S = 1.0
"""Seconds without reviews after one failed, to spare the API server."""

_ACCOUNT = re.compile(r"system:serviceaccount:([^:]+):[^:]+")
_EXTRA = "authentication.kubernetes.io/pod-"

log = logging.getLogger(__name__)


class Reviewer(Protocol):
    """Sends TokenReviews to the API server."""

    async def review_token(self, token: str, audience: str) -> Obj:
        """The status of a TokenReview."""


@dataclass(frozen=True, slots=True)
class Caller:
    """The pod that a token is bound to, and when (on the loop's clock) that was confirmed."""

    namespace: str
    pod: str
    uid: str
    since: float


@dataclass(frozen=True, slots=True)
class _Answer:
    caller: Caller | Refusal
    until: float


class Tokens:
    """Finds the pod of a token."""

    def __init__(self, reviewer: Reviewer, wall: Callable[[], float] = time.time) -> None:
        """``wall``: seconds since 1970, to compare the expiry of tokens with."""
        self._reviewer = reviewer
        self._wall = wall
        self._good: Bounded[bytes, _Answer] = Bounded(8192)
        self._bad: Bounded[bytes, _Answer] = Bounded(1024)  # apart, so that bad tokens do not displace good ones
        self._under_way: dict[bytes, asyncio.Task[_Answer]] = {}
        self._slots = asyncio.Semaphore(REVIEWS)
        self._mistakes: RateLimit[str] = RateLimit(rate=1.0, burst=10, size=4096)
        self._paused_until = 0.0

    async def caller(self, token: str, address: str) -> Caller:
        """The pod that the token is bound to. ``address``: the sender's.

        Raises:
            Refusal: the token is not for us (401), is not a pod's (403), or cannot be checked now (429, 503).
        """
        digest = hashlib.sha256(token.encode(errors="replace")).digest()
        answer = self._good.get(digest) or self._bad.get(digest)
        if answer is None or answer.until <= _now():
            answer = await self._ask(digest, token, address)
        if isinstance(answer.caller, Refusal):
            raise Refusal(answer.caller.status, answer.caller.message)
        return answer.caller

    async def _ask(self, digest: bytes, token: str, address: str) -> _Answer:
        left = self._plausible(token)
        task = self._under_way.get(digest)
        if task is None:
            if len(self._under_way) >= WAITING or self._paused_until > _now():
                raise Refusal(503, "tokens cannot be checked right now, try again", PAUSE_S)
            task = asyncio.create_task(self._review(digest, token, address, left))
            self._under_way[digest] = task
            task.add_done_callback(lambda done: self._over(digest, done))
        return await asyncio.shield(task)  # other requests may wait for the same answer

    def _over(self, digest: bytes, done: "asyncio.Task[_Answer]") -> None:
        del self._under_way[digest]
        if not done.cancelled():
            done.exception()  # mark it as retrieved: all waiting requests may be gone

    def _plausible(self, token: str) -> float:
        """Seconds until the expiry that the token claims. Claims are not trusted: they only save reviews."""
        claims = _claims(token)
        audiences = claims.get("aud")
        if PROGRESS_AUDIENCE not in (audiences if isinstance(audiences, list) else [audiences]):
            raise Refusal(401, f"the token is not for the audience {PROGRESS_AUDIENCE}")
        expires = claims.get("exp")
        if not isinstance(expires, int | float) or expires <= self._wall():
            raise Refusal(401, "the token has expired: read its file again before each report")
        return float(expires) - self._wall()

    async def _review(self, digest: bytes, token: str, address: str, left: float) -> _Answer:
        try:
            async with self._slots:
                if pause := self._mistakes.wait(address, _now()):
                    raise Refusal(429, "too many invalid tokens came from this address, wait", pause)
                async with asyncio.timeout(REVIEW_S):
                    status = await self._reviewer.review_token(token, PROGRESS_AUDIENCE)
        except (ApiError, TimeoutError) as error:
            metrics.TOKEN_REVIEWS.labels("error").inc()
            if self._paused_until <= _now():
                log.warning("a token could not be reviewed: %s", error or type(error).__name__)
            self._paused_until = _now() + PAUSE_S
            raise Refusal(503, "the API server did not answer the TokenReview, try again", PAUSE_S) from error
        caller = _identity(status)
        if isinstance(caller, Caller):
            metrics.TOKEN_REVIEWS.labels("accepted").inc()
            answer = _Answer(caller, _now() + min(GOOD_FOR, left))
            self._good.put(digest, answer)
        else:
            metrics.TOKEN_REVIEWS.labels("refused").inc()
            self._mistakes.spend(address, _now())
            answer = _Answer(caller, _now() + BAD_FOR)
            self._bad.put(digest, answer)
        return answer


def _identity(status: Obj) -> Caller | Refusal:
    """The pod in the status of a TokenReview."""
    # An authenticator that does not check audiences returns none; its answer is not enough.
    if status.get("authenticated") is not True or PROGRESS_AUDIENCE not in (status.get("audiences") or ()):
        return Refusal(401, "the token is not valid, or no longer: read its file again before each report")
    user = status.get("user") or {}
    account = _ACCOUNT.fullmatch(user.get("username") or "")
    extra = user.get("extra") or {}
    pod, uid = (list(extra.get(f"{_EXTRA}{field}") or ()) for field in ("name", "uid"))
    if account is None or len(pod) != 1 or len(uid) != 1:
        return Refusal(403, "the token is not bound to a pod: use a projected token of the pod itself")
    return Caller(account[1], str(pod[0]), str(uid[0]), _now())


def _claims(token: str) -> dict[str, Any]:
    """The claims of a JWT, unverified.

    Raises:
        Refusal: it is no JWT (401).
    """
    try:
        _, payload, _ = token.split(".")
        claims = orjson.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except ValueError:
        claims = None
    if not isinstance(claims, dict):
        raise Refusal(401, "the bearer token is not a service account token")
    return claims


def _now() -> float:
    return asyncio.get_running_loop().time()
