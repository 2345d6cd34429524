"""What has converged is left in peace."""

from tests.integration.engine.server import WATCHED, Server
from tests.integration.engine.watches import Watches
from tests.integration.operator.conftest import NewOperator
from tests.integration.operator.operator_process import Operator
from tests.integration.operator.story import FAIL, HOLD, PACKAGE, Story
from tests.samples.objects import deployment, training
from tests.waiting import until

NAMES = ("succeeded", "failed", "running", "suspended", "waiting")


async def test_nothing_is_written_once_all_is_as_it_should_be(
    new_operator: NewOperator, watches: Watches, connection: Server
) -> None:
    operator = new_operator(LAMPLIGHTER_RESYNC="0.3")
    stories = {name: Story(watches, name) for name in NAMES}
    await stories["succeeded"].create(training("succeeded", **PACKAGE))
    await stories["succeeded"].create(deployment("succeeded", model={"trainingRef": {"name": "succeeded"}}))
    await stories["failed"].create(training("failed", **FAIL))
    await stories["running"].create(training("running", nodes=2, **HOLD))
    await stories["suspended"].create(training("suspended", suspend=True))
    await stories["waiting"].create(deployment("waiting", model={"trainingRef": {"name": "nobody"}}))
    for name in ("succeeded", "failed", "running", "suspended"):
        await stories[name].until_state(name.capitalize())
    await stories["succeeded"].until_state("Ready", "ModelDeployment")
    await stories["waiting"].until_state("TrainingNotFound", "ModelDeployment")

    await looks_again(watches, operator)
    before = await versions(connection, watches.namespace)
    await looks_again(watches, operator)
    assert await versions(connection, watches.namespace) == before
    operator.kill()
    operator.start()
    await until("the operator is ready", lambda: operator.ready)
    await looks_again(watches, operator)
    assert await versions(connection, watches.namespace) == before
    assert operator.total("lamplighter_reconcile_errors_total") == 0


async def looks_again(watches: Watches, operator: Operator) -> None:
    """Wait until the operator has looked at every object three more times; it resyncs all the time."""
    enough = operator.total("lamplighter_reconcile_seconds_count") + 3 * (len(NAMES) + 1)
    await until("looks", lambda: operator.total("lamplighter_reconcile_seconds_count") >= enough)


async def versions(connection: Server, namespace: str) -> dict[str, str]:
    """The resource version of everything that is ours."""
    lists = [await connection.list(kind, namespace) for kind in WATCHED]
    objects = [obj for items, _ in lists for obj in items]
    return {f"{obj['kind']} {obj['metadata']['name']}": obj["metadata"]["resourceVersion"] for obj in objects}
