"""The Kubernetes API: the calls of a reconcile.

The kubernetes client brings configuration and credentials; the requests of a reconcile go through one aiohttp session
as plain dicts, because building and validating the client's models costs more CPU than everything else in a reconcile.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Mapping
from typing import Any
from urllib.parse import urlencode

import aiohttp
import orjson
from kubernetes.aio import config
from kubernetes.aio.client import Configuration
from kubernetes.aio.client.rest import RESTClientObject

from lamplighter import __version__
from lamplighter.core import pods
from lamplighter.core.objects import Obj, Ref
from lamplighter.engine import metrics
from lamplighter.engine.api import ApiError
from lamplighter.engine.queue import Key
from lamplighter.engine.resources import RESOURCES
from lamplighter.settings import Settings

FIELD_MANAGER = "lamplighter"
_MERGE = "application/merge-patch+json"
_METADATA_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"
_PAGE = 500
_STARTS = ("Scheduled", "Pulling", "Pulled", "Created", "Started")
_NEWS = ",".join(("regarding.kind=Pod", "type=Normal", *(f"reason!={reason}" for reason in _STARTS)))
"""Selects the Events about pods that are neither warnings nor steps of a normal start."""
_EVENTS_AGE = 2.0
"""Seconds for which one listing of a namespace's Events is used: when a rack fails, all its trainings ask at once."""
_SILENCE = 70.0
"""Seconds without a byte after which a watch counts as broken: the API server sends a bookmark every minute."""
NO_ANSWER = (aiohttp.ClientError, TimeoutError, OSError)

log = logging.getLogger(__name__)


class Client:
    """The calls of a reconcile: see :class:`lamplighter.engine.api.Api`."""

    def __init__(
        self,
        configuration: Configuration,
        timeout: float,
        namespaces: Iterable[str] = (),
    ) -> None:
        """``timeout``: seconds for one request. ``namespaces``: where lists look; empty: in the whole cluster."""
        self._namespaces = tuple(namespaces)
        self._configuration = configuration
        self._host = configuration.host.rstrip("/")
        ssl, headers = RESTClientObject(configuration).ssl_context, {"User-Agent": f"lamplighter/{__version__}"}
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=ssl, limit=64),
            timeout=aiohttp.ClientTimeout(total=timeout),
            headers=headers,
        )
        # Watches have connections of their own: each holds one for minutes, and there may be any number of namespaces.
        self._watches = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=ssl, limit=0),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=timeout, sock_read=_SILENCE),
            headers=headers,
        )
        self._events: dict[str, asyncio.Future[list[Obj]]] = {}
        self.may_write: Callable[[], bool] = lambda: True
        """Asked before every write: False once another process may be the leader."""

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()
        await self._watches.close()

    async def get(self, ref: Ref) -> Obj | None:
        """The object, or None."""
        try:
            return await self._send("GET", "get", ref.kind, _url(ref.kind, ref.namespace, ref.name))
        except ApiError as error:
            if error.gone:
                return None
            raise

    async def create(self, obj: Obj) -> Obj:
        """POST."""
        url = _url(obj["kind"], obj["metadata"]["namespace"]) + f"?fieldManager={FIELD_MANAGER}"
        return await self._send("POST", "create", obj["kind"], url, obj)

    async def patch(self, obj: Obj) -> Obj:
        """Merge a partial object; the server refuses it when ``metadata.uid`` is not the object's."""
        url = _url(obj["kind"], obj["metadata"]["namespace"], obj["metadata"]["name"])
        return await self._send("PATCH", "patch", obj["kind"], f"{url}?fieldManager={FIELD_MANAGER}", obj, _MERGE)

    async def replace_status(self, obj: Obj) -> Obj:
        """PUT the status; the server refuses it when ``metadata.resourceVersion`` is not the newest."""
        url = _url(obj["kind"], obj["metadata"]["namespace"], obj["metadata"]["name"])
        return await self._send("PUT", "update", obj["kind"], f"{url}/status?fieldManager={FIELD_MANAGER}", obj)

    async def delete(self, ref: Ref) -> None:
        """DELETE the object with this uid, its dependents in the background; nothing when it is gone."""
        options: Obj = {"propagationPolicy": "Background", "preconditions": {"uid": ref.uid}}
        if ref.force:
            options["gracePeriodSeconds"] = 0
        try:
            await self._send("DELETE", "delete", ref.kind, _url(ref.kind, ref.namespace, ref.name), options)
        except ApiError as error:
            if not error.gone and error.status != 409:  # 409: another object of that name by now
                raise

    async def pod_events(self, namespace: str, job: str) -> list[Obj]:
        """The Events about this Job's pods that :data:`_NEWS` selects; empty when RBAC forbids reading Events."""
        if namespace not in self._events:
            self._events[namespace] = asyncio.ensure_future(self._news(namespace))
            asyncio.get_running_loop().call_later(_EVENTS_AGE, self._events.pop, namespace, None)
        events = await asyncio.shield(self._events[namespace])
        return [event for event in events if pods.is_of_job(event["regarding"].get("name") or "", job)]

    async def _news(self, namespace: str) -> list[Obj]:
        try:
            pages = self.pages("Event", namespace, {"fieldSelector": _NEWS})
            return [event async for page in pages for event in page["items"]]
        except ApiError as error:
            if not error.refused:
                raise
            log.warning("Events cannot be read: %s", error)
            return []

    async def review_token(self, token: str, audience: str) -> Obj:
        """The status of a TokenReview: whose token it is, provided that it was issued for this audience."""
        review = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenReview",
            "spec": {"token": token, "audiences": [audience]},
        }
        resource = RESOURCES["TokenReview"]
        answer = await self._send("POST", "create", "TokenReview", f"{resource.path}/{resource.plural}", review)
        return dict(answer.get("status") or {})

    async def label_pod(self, namespace: str, name: str, label: str, value: str | None) -> None:
        """Set a label of a pod, or remove it if ``value`` is None. Allowed without the lease: the pod is our own."""
        labels: Obj = {"metadata": {"labels": {label: value}}}
        url = f"{_url('Pod', namespace, name)}?fieldManager={FIELD_MANAGER}"
        await self._send("PATCH", "patch", "Pod", url, labels, _MERGE, leader_only=False)

    async def serves(self, kind: str) -> bool:
        """Whether the API server's discovery names a kind; it does so a moment after the CRD was made."""
        resource = RESOURCES[kind]
        try:
            found = await self._send("GET", "get", kind, resource.path)
        except ApiError as error:
            if error.gone:
                return False
            raise
        return any(entry["name"] == resource.plural for entry in found.get("resources") or ())

    async def generations(self, kind: str) -> Iterable[tuple[Key, int]]:
        """Key and generation of every object of a kind, in pages, metadata only."""
        metas = [
            item["metadata"]
            for namespace in self._namespaces or (None,)
            async for page in self.pages(kind, namespace, accept=_METADATA_ONLY)
            for item in page["items"]
        ]
        return [(Key(kind, meta["namespace"], meta["name"]), meta.get("generation", 0)) for meta in metas]

    async def pages(
        self, kind: str, namespace: str | None, query: Mapping[str, str] | None = None, accept: str = "application/json"
    ) -> AsyncGenerator[Obj, None]:
        """List a kind in a namespace (None: in the whole cluster), page by page; ``items`` is never null."""
        wanted = {**(query or {}), "limit": str(_PAGE)}
        while True:
            page = await self._send("GET", "list", kind, f"{_url(kind, namespace)}?{urlencode(wanted)}", accept=accept)
            page["items"] = page["items"] or []
            yield page
            wanted["continue"] = page["metadata"].get("continue") or ""
            if not wanted["continue"]:
                return

    async def watch(self, kind: str, namespace: str | None, query: Mapping[str, str]) -> AsyncGenerator[bytes, None]:
        """What the API server sends on a watch, in pieces of any size, until it ends the watch.

        Raises:
            ApiError: the API server refused the watch, or the connection was lost or silent for too long.
        """
        url, resource = f"{self._host}{_url(kind, namespace)}?{urlencode(query)}", RESOURCES[kind].plural
        headers = {"Accept": "application/json", **await self._authorization()}
        try:
            async with self._watches.get(url, headers=headers) as response:
                metrics.REQUESTS.labels("watch", resource, response.status).inc()
                if response.status >= 400:
                    raise _error(response, await response.read())
                async for piece in response.content.iter_any():
                    yield piece
        except NO_ANSWER as error:
            raise ApiError(0, type(error).__name__, str(error) or "nothing was received in time") from error

    async def _send(
        self,
        method: str,
        verb: str,
        kind: str,
        url: str,
        body: Any = None,
        content_type: str = "application/json",
        accept: str = "application/json",
        *,
        leader_only: bool = True,
    ) -> Obj:
        if method != "GET" and leader_only and not self.may_write():
            raise ApiError(0, "NotLeader", "the lease may have been lost")
        headers = {"Content-Type": content_type, "Accept": accept, **await self._authorization()}
        data = None if body is None else orjson.dumps(body)
        resource = RESOURCES[kind].plural
        try:
            async with self._session.request(method, self._host + url, data=data, headers=headers) as response:
                content = await response.read()
                metrics.REQUESTS.labels(verb, resource, response.status).inc()
                if response.status >= 400:
                    raise _error(response, content)
                answer: Obj = orjson.loads(content)
                return answer
        except NO_ANSWER as error:
            metrics.REQUESTS.labels(verb, resource, "none").inc()
            raise ApiError(0, type(error).__name__, str(error) or "no answer in time") from error
        except orjson.JSONDecodeError as error:
            raise ApiError(0, "NoJson", f"the API server's answer is no JSON: {error}") from error

    async def _authorization(self) -> dict[str, str]:
        """The header that says who we are; asked for each request, so that a renewed token is used.

        Raises:
            ApiError: the token cannot be read now; the next try may find it.
        """
        try:
            token = await self._configuration.get_api_key_with_prefix("BearerToken", alias="authorization")
        except (OSError, config.ConfigException) as error:
            raise ApiError(0, "NoToken", f"the token of the service account cannot be read: {error}") from error
        return {"Authorization": token} if token else {}


async def configuration() -> Configuration:
    """Where the API server is and who we are: the pod's service account, otherwise the kubeconfig."""
    loaded = Configuration()
    try:
        config.load_incluster_config(client_configuration=loaded)
    except config.ConfigException:
        await config.load_kube_config(client_configuration=loaded)
    return loaded


@contextlib.asynccontextmanager
async def connect(settings: Settings) -> AsyncIterator[Client]:
    """A client while inside."""
    client = Client(await configuration(), settings.request_timeout, settings.namespaces)
    try:
        yield client
    finally:
        await client.close()


def _url(kind: str, namespace: str | None, name: str = "") -> str:
    resource = RESOURCES[kind]
    place = f"/namespaces/{namespace}" if resource.namespaced and namespace is not None else ""
    url = f"{resource.path}{place}/{resource.plural}"
    return f"{url}/{name}" if name else url


def _error(response: aiohttp.ClientResponse, content: bytes) -> ApiError:
    try:
        said = orjson.loads(content)
        reason, message = said.get("reason") or "", said.get("message") or ""
    except (ValueError, AttributeError):
        reason, message = "", content.decode(errors="replace")[:500]
    wait = response.headers.get("Retry-After", "")
    reason = reason or response.reason or "Error"
    return ApiError(response.status, reason, message, float(wait) if wait.isdigit() else None)
