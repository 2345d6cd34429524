"""A connection to the cluster and the watches of a namespace that has what the scenarios need."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.integration.engine import server
from tests.integration.engine.watches import Watches
from tests.integration.engine.world import PlayedServer
from tests.waiting import until

from lamplighter.core.objects import Ref

CLAIM = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}


@pytest.fixture
async def watches(kubeconfig: Path, namespace: str) -> AsyncIterator[Watches]:
    """The watches of a namespace with a volume and a source."""
    async with server.connect(kubeconfig, PlayedServer) as connection, Watches.of(connection, namespace) as told:
        connection.watches = told
        await connection.create(_object("PersistentVolumeClaim", namespace, "volume", spec=CLAIM))
        await connection.create(_object("ConfigMap", namespace, "source", data={"train.py": "print(1)"}))
        await until("the volume is bound", lambda: _bound(connection, namespace))
        yield told


async def _bound(connection: PlayedServer, namespace: str) -> bool:
    claim = await connection.get(Ref("PersistentVolumeClaim", namespace, "volume"))
    return claim is not None and bool(claim["status"].get("phase") == "Bound")


def _object(kind: str, namespace: str, name: str, **body: object) -> dict[str, object]:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": namespace}, **body}
