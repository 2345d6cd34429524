"""The router of a ModelDeployment: the Envoy pods that share requests out among its revisions."""

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
    """When a pod to which no connection comes about is left alone for a while."""

    consecutive_failures: int = Field(
        default=5, ge=1, le=1000, description="Connections that fail in a row; answers never count, whatever they are."
    )
    interval: Duration = Field(default="10s", description="How often a pod that was left alone may come back.")
    ejection_time: Duration = Field(
        default="30s", description="How long, the first time; each time it is as much more."
    )
    max_ejected: int = Field(default=50, ge=0, le=100, description="Percent of a revision's pods, at most; 0: never.")


class Router(ApiModel):
    """How requests reach the revisions."""

    image: Image | None = Field(default=None, description="Default: the router image of the operator's settings.")
    replicas: int = Field(default=2, ge=1, le=20, description="Router pods.")
    timeout: Limit | None = Field(
        default=None,
        description="Until the whole answer is there, at most a day. "
        "Default: the largest runtime.responseTimeout of the revisions and one second.",
    )
    max_requests: int = Field(
        default=1024, ge=1, le=100000, description="In flight per router pod and revision; more are answered 503."
    )
    max_connections: int = Field(default=1024, ge=1, le=100000, description="Per router pod and revision.")
    access_log: bool = Field(default=False, description="One line of JSON per request on the routers' stdout.")
    outlier: Outlier = Field(default_factory=Outlier)
    resources: Resources = Field(
        default_factory=lambda: Resources(requests={"cpu": "100m", "memory": "128Mi"}),
        description="Of a router pod.",
    )
    template: PodTemplate = Field(default_factory=PodTemplate)


class Share(ApiModel):
    """What part of the requests a revision gets."""

    revision: RevisionName
    weight: int = Field(ge=0, le=100)


class RouterStatus(ApiModel):
    """The router pods, and what they do as they say themselves."""

    replicas: int = Field(default=0, ge=0)
    ready_replicas: int = Field(default=0, ge=0)
    config: Annotated[str, Field(max_length=63)] | None = Field(
        default=None, description="The version they should have."
    )
    changed_at: Timestamp | None = Field(default=None, description="When that version was made.")
    unverified_since: Timestamp | None = Field(
        default=None, description="Since when some router pod has another version."
    )
    verified: bool = Field(default=False, description="True: every ready router pod says that it has this version.")
    traffic: Annotated[list[Share], Field(max_length=8, json_schema_extra=list_map("revision"))] = Field(
        default_factory=list, description="The split that all of them had when they were asked last."
    )
