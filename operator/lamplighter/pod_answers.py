"""Asking a pod about itself, a router or a model: a GET of its own port, without credentials, and bounded."""

from typing import Any

import aiohttp
import orjson

from lamplighter.core.objects import Obj

_TIME = aiohttp.ClientTimeout(total=2.0)
_BYTES = 1 << 20


async def ask(session: aiohttp.ClientSession, template: str, pod: Obj) -> Obj | None:
    """What a pod says about itself; None when it does not answer in time, in JSON, and in a few words.

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
