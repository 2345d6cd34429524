"""An admission webhook that is down: the status tells of it, and nothing is missing once it is gone."""

from collections.abc import Iterator
from typing import Any

import pytest
from kubernetes import client
from tests.integration.engine.watches import Watches
from tests.integration.operator.conftest import NewOperator
from tests.integration.operator.story import Story
from tests.samples.objects import training

NOBODY = "https://127.0.0.1:1/"


@pytest.fixture
def webhook(api: client.ApiClient, namespace: str) -> Iterator[str]:
    """The name of a webhook that must agree to every Job of the namespace, and that nobody answers for."""
    registry = client.AdmissionregistrationV1Api(api)
    made: dict[str, Any] = {
        "metadata": {"name": namespace},
        "webhooks": [
            {
                "name": "jobs.example.com",
                "admissionReviewVersions": ["v1"],
                "sideEffects": "None",
                "failurePolicy": "Fail",
                "clientConfig": {"url": NOBODY},
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
                "rules": [
                    {"apiGroups": ["batch"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["jobs"]}
                ],
            }
        ],
    }
    registry.create_validating_webhook_configuration(made)
    yield namespace
    if namespace in (one.metadata.name for one in registry.list_validating_webhook_configuration().items):
        registry.delete_validating_webhook_configuration(namespace)


async def test_a_webhook_that_is_down_is_told_of_and_waited_for(
    webhook: str, new_operator: NewOperator, watches: Watches, api: client.ApiClient
) -> None:
    new_operator(LAMPLIGHTER_BACKOFF_FIRST="0.1")
    digits = Story(watches)
    await digits.create(training())
    await digits.until_state("ApiServerFails")
    assert "jobs.example.com" in digits.condition()["message"]
    client.AdmissionregistrationV1Api(api).delete_validating_webhook_configuration(webhook)
    await digits.until_state("Succeeded")
    assert [len(uids) for uids in digits.jobs().values()] == [1]
