"""Where a gang of pods runs, and on how many nodes."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from lamplighter.api.common import ApiModel, DnsLabel, DnsSubdomain, LabelValue, ResourceName, rule, rules

LabelKey = Annotated[str, Field(min_length=1, max_length=316, pattern=r"^[A-Za-z0-9]([-A-Za-z0-9_./]*[A-Za-z0-9])?$")]
Strictness = Literal["Required", "Preferred"]


class Elastic(ApiModel):
    """A gang that continues with fewer nodes, and whose ``spec.nodes`` may change while it runs."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule("self.minNodes <= self.maxNodes", "spec.elastic.minNodes must not be greater than maxNodes")
        )
    )

    min_nodes: int = Field(ge=1, le=1024, description="With fewer nodes the gang waits.")
    max_nodes: int = Field(ge=1, le=1024)


class Topology(ApiModel):
    """How the pods of a gang are placed relative to each other, by a label of the Nodes."""

    colocate: LabelKey | None = Field(
        default=None, description="Place all pods in one domain of this label, such as topology.kubernetes.io/zone."
    )
    colocate_policy: Strictness = "Required"
    spread: LabelKey | None = Field(
        default=None,
        description="Spread the pods evenly over the domains of this label, such as kubernetes.io/hostname.",
    )
    spread_policy: Strictness = "Preferred"


class GangScheduling(ApiModel):
    """For schedulers that place all pods of a gang or none. ``{job}`` and ``{nodes}`` in a value are replaced."""

    scheduler_name: DnsSubdomain | None = Field(default=None, description="The scheduler of the pods, such as volcano.")
    labels: dict[ResourceName, LabelValue] = Field(
        default_factory=dict, max_length=16, description="Labels of the pods, such as scheduling.x-k8s.io/pod-group."
    )
    annotations: dict[ResourceName, Annotated[str, Field(max_length=4096)]] = Field(
        default_factory=dict,
        max_length=16,
        description="Annotations of the pods, such as scheduling.k8s.io/group-name.",
    )


class Rdma(ApiModel):
    """Remote direct memory access. It needs IPC_LOCK, which the restricted Pod Security Standard forbids."""

    resource_name: ResourceName = Field(
        description="The resource name of the cluster's device plugin, such as rdma/hca."
    )
    count: int = Field(default=1, ge=1, le=64)


class ResourceClaim(ApiModel):
    """A claim of Dynamic Resource Allocation for each pod's trainer container."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "has(self.resourceClaimName) != has(self.resourceClaimTemplateName)",
                "give either resourceClaimTemplateName (a claim for each pod) or resourceClaimName (one for all)",
            )
        )
    )

    name: DnsLabel
    resource_claim_name: DnsSubdomain | None = None
    resource_claim_template_name: DnsSubdomain | None = None
