"""A world per test; what a test starts ends with it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.router.pods import Names
from tests.router.world import World


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    loop = asyncio.get_running_loop()
    transport, names = await loop.create_datagram_endpoint(Names, local_addr=("127.0.0.1", 0))
    port = transport.get_extra_info("sockname")[1]
    world = World(tmp_path, names, port)
    yield world
    await world.close()
    transport.close()
