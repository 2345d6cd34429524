"""The API server as the tests use it: the operator's own client, and lists and watches of one namespace."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import aiohttp
import orjson
from kubernetes.aio import config
from kubernetes.aio.client import Configuration

from lamplighter.core.naming import SELECTOR
from lamplighter.core.objects import Obj
from lamplighter.engine.questions import Readers
from lamplighter.engine.resources import PRIMARY, RESOURCES
from lamplighter.kube import Client

WATCHED = tuple(resource.kind for resource in RESOURCES.values() if resource.watched and resource.namespaced)


class Server(Client):
    """A client that also lists and watches one namespace."""

    readers: Readers = MappingProxyType({})
    """Who answers for the pods that run nothing here."""

    async def list(self, kind: str, namespace: str, **query: str) -> tuple[list[Obj], str]:
        """The objects of a kind that the operator looks at, and the resource version of the list."""
        url = self._url(kind, namespace)
        while True:
            async with self._session.get(url, params=_selection(kind) | query) as response:
                if response.status == 429:  # the CRD is new
                    continue
                response.raise_for_status()
                page = orjson.loads(await response.read())
                break
        marks = {"apiVersion": page["apiVersion"], "kind": kind}
        return [marks | item for item in page["items"]], page["metadata"]["resourceVersion"]

    async def watch(self, kind: str, namespace: str, since: str, **query: str) -> AsyncIterator[Obj]:
        """Watch events of the objects that the operator looks at, until the API server ends the watch."""
        query = _selection(kind) | {"watch": "1", "resourceVersion": since} | query
        forever = aiohttp.ClientTimeout(total=None)
        async with self._session.get(self._url(kind, namespace), params=query, timeout=forever) as response:
            response.raise_for_status()
            pending = b""
            async for chunk in response.content.iter_any():
                *lines, pending = (pending + chunk).split(b"\n")
                for line in lines:
                    yield orjson.loads(line)

    async def answers(self) -> bool:
        """True when the API server is there and can be written to."""
        try:
            async with self._session.get(f"{self._host}/readyz") as response:
                return response.status == 200
        except aiohttp.ClientError:
            return False

    async def change(self, obj: Obj, **spec: Any) -> Obj:
        """Merge fields into the spec of an object, as a user does with kubectl."""
        meta = {field: obj["metadata"][field] for field in ("name", "namespace", "uid")}
        return await self.patch({"apiVersion": obj["apiVersion"], "kind": obj["kind"], "metadata": meta, "spec": spec})

    def _url(self, kind: str, namespace: str) -> str:
        resource = RESOURCES[kind]
        return f"{self._host}{resource.path}/namespaces/{namespace}/{resource.plural}"


Kind = TypeVar("Kind", bound=Server)


@contextlib.asynccontextmanager
async def connect(kubeconfig: Path, kind: type[Kind]) -> AsyncIterator[Kind]:
    """A connection to the cluster while inside."""
    configuration = Configuration()
    await config.load_kube_config(config_file=str(kubeconfig), client_configuration=configuration)
    server = kind(configuration, 30)
    try:
        yield server
    finally:
        await server.close()


def _selection(kind: str) -> dict[str, str]:
    return {} if kind in PRIMARY else {"labelSelector": SELECTOR}
