"""The Lease: one process leads, and it stops writing before another may lead."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any

from kubernetes.aio.client import ApiClient, ApiException, V1Lease, V1ObjectMeta
from kubernetes.aio.leaderelection.electionconfig import Config as ElectionConfig
from kubernetes.aio.leaderelection.leaderelection import LeaderElection
from kubernetes.aio.leaderelection.resourcelock.leaselock import LeaseLock

from lamplighter.engine import metrics
from lamplighter.kube import NO_ANSWER, Client, configuration
from lamplighter.settings import Settings

log = logging.getLogger(__name__)


class _Lock(LeaseLock):  # type: ignore[misc]
    """The client's lock, except that a connection that fails or stalls is one failed attempt and not the end."""

    def __init__(self, settings: Settings, api: ApiClient) -> None:
        super().__init__(settings.lease_name, settings.lease_namespace, settings.identity, api)
        # The client itself would wait five minutes; two attempts must fit in before others may lead.
        self._patience = settings.lease_renew_deadline / 2

    async def get(self, name: str, namespace: str) -> tuple[bool, Any]:
        try:
            async with asyncio.timeout(self._patience):
                found: tuple[bool, Any] = await super().get(name, namespace)
            return found
        except NO_ANSWER as error:
            return False, ApiException(status=0, reason=f"{type(error).__name__}: {error}")

    async def create(self, name: str, namespace: str, election_record: Any) -> bool:
        try:
            # The client's own create fails in version 37: it passes pretty=True where only text is accepted.
            lease = V1Lease(metadata=V1ObjectMeta(name=name), spec=self.update_lease(election_record))
            async with asyncio.timeout(self._patience):
                await self.api_instance.create_namespaced_lease(namespace, lease)
        except (*NO_ANSWER, ApiException) as error:
            log.warning("the lease could not be created: %s", error)
            return False
        return True

    async def update(self, name: str, namespace: str, updated_record: Any) -> bool:
        try:
            async with asyncio.timeout(self._patience):
                return bool(await super().update(name, namespace, updated_record))
        except NO_ANSWER as error:
            log.warning("the lease could not be renewed: %s", f"{type(error).__name__} {error}".rstrip())
            return False

    async def release(self) -> None:
        """Give up the lease, so that the next leader need not wait until it expires."""
        await self.get(self.name, self.namespace)
        lease = self.lease_reference
        if lease is None or lease.spec is None or lease.spec.holder_identity != self.identity:
            return
        lease.spec.holder_identity = ""
        with contextlib.suppress(ApiException, *NO_ANSWER):
            async with asyncio.timeout(self._patience):
                await self.api_instance.replace_namespaced_lease(self.name, self.namespace, lease)


async def lead(settings: Settings, client: Client, run: Callable[[], Awaitable[None]], stop: asyncio.Event) -> None:
    """Wait for the lease, then do ``run`` until it ends or the lease is lost; gives the lease back before returning.

    ``stop`` ends the wait for the lease; ``run`` has to watch ``stop`` itself. A leader that cannot renew its lease
    stops writing before others may regard the lease as expired.
    """
    begun, finished = asyncio.Event(), asyncio.Event()

    async def started() -> None:
        begun.set()
        metrics.LEADER.set(1)
        log.info("this process leads", extra={"identity": settings.identity})
        try:
            await run()
        finally:
            finished.set()

    async def stopped() -> None:
        log.error("the lease is lost")
        finished.set()

    waiting = asyncio.ensure_future(stop.wait())
    done = asyncio.ensure_future(finished.wait())
    async with ApiClient(await configuration()) as api:
        lock = _Lock(settings, api)
        timing = {
            "lease_duration": settings.lease_duration,
            "renew_deadline": settings.lease_renew_deadline,
            "retry_period": settings.lease_retry_period,
        }
        election = LeaderElection(ElectionConfig(lock, onstarted_leading=started, onstopped_leading=stopped, **timing))
        client.may_write = lambda: _holds(election, settings)
        campaign = asyncio.ensure_future(election.run())
        try:
            await asyncio.wait({campaign, done, waiting}, return_when=asyncio.FIRST_COMPLETED)
            if begun.is_set():
                await asyncio.wait({campaign, done}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            metrics.LEADER.set(0)
            for task in (campaign, done, waiting):
                task.cancel()
            outcome = (await asyncio.gather(campaign, return_exceptions=True))[0]
            if isinstance(outcome, Exception):
                log.error("the leader election broke", exc_info=outcome)
            await lock.release()


def _holds(election: LeaderElection, settings: Settings) -> bool:
    """Whether the lease that was seen last is ours, and so recent that a write sent now arrives while it is valid."""
    seen = election.observed_record
    age = time.time() - election.observed_time_milliseconds / 1000
    return seen is not None and seen.holder_identity == settings.identity and age < settings.lease_renew_deadline
