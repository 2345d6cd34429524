"""Objects that read like sentences: ``a_training("digits").with_source("code").nodes(2).obj()``.

The unit and the integration tests share them. Names and labels are spelled out here, not taken from the operator, so
that a test fails when the operator spells them differently.
"""

from tests.builders.deployments import a_deployment, a_trained, a_workload
from tests.builders.nodes import a_node
from tests.builders.objects import NAMESPACE, NOW, at, later
from tests.builders.pods import a_pod
from tests.builders.scene import Scene
from tests.builders.trainings import SHA, a_config_map, a_job, a_training

__all__ = [
    "NAMESPACE",
    "NOW",
    "SHA",
    "Scene",
    "a_config_map",
    "a_deployment",
    "a_job",
    "a_node",
    "a_pod",
    "a_trained",
    "a_training",
    "a_workload",
    "at",
    "later",
]
