"""The router of a ModelDeployment: the Envoy pods that divide the requests among its revisions."""

from typing import Annotated

from pydantic import Field

from lamplighter.api.common import (
    ApiModel,
    Duration,
    Image,
    Limit,
    PodTemplate,
    Resources,
    RevisionName,
    Timestamp,
    list_map,
)


class Outlier(ApiModel):
    """When the router stops trying a pod to which it cannot connect, and for how long (outlier detection)."""

    consecutive_failures: int = Field(
        default=5,
        ge=1,
        le=1000,
        description="Failed connections in a row. Responses never count, whatever their status.",
    )
    interval: Duration = Field(default="10s", description="How often ejected pods are checked for their return.")
    ejection_time: Duration = Field(
        default="30s", description="How long a pod is ejected the first time; each further time this much longer."
    )
    max_ejected: int = Field(
        default=50, ge=0, le=100, description="At most this percentage of a revision's pods is ejected; 0: none."
    )


class Router(ApiModel):
    """How requests reach the revisions."""

    image: Image | None = Field(default=None, description="Default: the router image in the operator's settings.")
    replicas: int = Field(default=2, ge=1, le=20, description="Router pods.")
    timeout: Limit | None = Field(
        default=None,
        description="Time for a whole response, at most a day. "
        "Default: the largest runtime.responseTimeout of the revisions plus one second.",
    )
    max_requests: int = Field(
        default=1024,
        ge=1,
        le=100000,
        description="Requests in flight per router pod and revision; more are answered with 503.",
    )
    max_connections: int = Field(default=1024, ge=1, le=100000, description="Connections per router pod and revision.")
    access_log: bool = Field(
        default=False, description="True: each router pod writes one line of JSON per request to stdout."
    )
    outlier: Outlier = Field(default_factory=Outlier)
    resources: Resources = Field(
        default_factory=lambda: Resources(requests={"cpu": "100m", "memory": "128Mi"}),
        description="Resources of a router pod.",
    )
    template: PodTemplate = Field(default_factory=PodTemplate)


class Share(ApiModel):
    """The share of the requests that a revision receives."""

    revision: RevisionName
    weight: int = Field(ge=0, le=100)


class RouterStatus(ApiModel):
    """The router pods, and what they report about themselves."""

    replicas: int = Field(default=0, ge=0)
    ready_replicas: int = Field(default=0, ge=0)
    config: Annotated[str, Field(max_length=63)] | None = Field(
        default=None, description="The version of the configuration that they should have."
    )
    changed_at: Timestamp | None = Field(default=None, description="When that version was written.")
    unverified_since: Timestamp | None = Field(
        default=None, description="Since when some router pod has not reported this version."
    )
    verified: bool = Field(default=False, description="True: every ready router pod reports this version.")
    traffic: Annotated[list[Share], Field(max_length=8, json_schema_extra=list_map("revision"))] = Field(
        default_factory=list, description="The split that every router pod reported last."
    )
