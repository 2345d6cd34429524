"""Where the operator works: in the namespaces that it is told, each for itself."""

from collections.abc import Iterator
from uuid import uuid4

import pytest
from kubernetes import client
from tests.integration.engine.server import Server
from tests.integration.engine.watches import Watches
from tests.integration.operator.conftest import NewOperator
from tests.integration.operator.story import FAIL, PACKAGE, Story
from tests.samples.objects import deployment, training

from lamplighter.core.objects import Ref


@pytest.fixture
def elsewhere(api: client.ApiClient) -> Iterator[list[str]]:
    """Two more namespaces."""
    core = client.CoreV1Api(api)
    names = [f"test-{uuid4().hex[:12]}" for _ in range(2)]
    for name in names:
        core.create_namespace({"metadata": {"name": name}})
    yield names
    for name in names:
        core.delete_namespace(name)


async def test_the_same_names_in_two_namespaces_do_not_meet_and_a_third_is_not_touched(
    new_operator: NewOperator, watches: Watches, connection: Server, elsewhere: list[str]
) -> None:
    second, third = elsewhere
    new_operator((watches.namespace, second))
    async with Watches.of(connection, second) as there:
        good, bad = Story(watches), Story(there)
        stranger = await connection.create(training() | {"metadata": {"name": "digits", "namespace": third}})
        await good.create(training(**PACKAGE))
        await good.create(deployment())
        await bad.create(training(**PACKAGE, **FAIL))
        await bad.create(deployment())
        await good.until_state("Ready", "ModelDeployment")
        await bad.until_state("Failed")
        assert bad.status("ModelDeployment")["state"] == "WaitingForModel"
        assert good.status()["state"] == "Succeeded"
    now = await connection.get(Ref("ModelTraining", third, "digits"))
    assert now == stranger
