"""Asking a pod about itself: a GET of one of its ports, without credentials, and bounded."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import orjson

from lamplighter.core.objects import Obj, Ref
from lamplighter.core.plan import Snapshot
from lamplighter.engine.questions import Reader

_TIME = aiohttp.ClientTimeout(total=2.0)
_BYTES = 1 << 20


class PodAnswers:
    """Asks pods. Its connections carry no credentials of the API server."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    def reader(self, url: str) -> Reader:
        """Asks the pod that a question names, when it is one of the object's own. ``url``: see :func:`ask`."""

        async def read(target: Ref, snapshot: Snapshot) -> Obj | None:
            pod = snapshot.owned("Pod", target.name)
            return await ask(self._session, url, pod) if pod is not None else None

        return read


@contextlib.asynccontextmanager
async def connect() -> AsyncIterator[PodAnswers]:
    """Pods can be asked while inside."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=64)) as session:
        yield PodAnswers(session)


async def ask(session: aiohttp.ClientSession, template: str, pod: Obj) -> Obj | None:
    """What a pod says about itself; None when it does not answer in time, in JSON, and in less than a mebibyte.

    ``template``: the URL, in which {ip}, {namespace} and {pod} are filled in.
    """
    ip, meta = pod.get("status", {}).get("podIP"), pod["metadata"]
    if not ip:
        return None
    url = template.format(ip=f"[{ip}]" if ":" in ip else ip, namespace=meta["namespace"], pod=meta["name"])
    content = bytearray()
    try:
        async with session.get(url, timeout=_TIME, allow_redirects=False) as response:
            async for chunk in response.content.iter_any():
                content += chunk
                if len(content) > _BYTES:
                    return None
        answer: Any = orjson.loads(content)
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
        return None
    return answer if isinstance(answer, dict) else None
