"""The types that both kinds share.

The models are the single source of ``crds/``: every bound, default and rule there is written here. The schema is
strict; parsing at runtime is lenient (unknown fields are ignored), so that the operator can still read an object that
a newer version wrote.
"""

import re
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

Rule = dict[str, str]
"""A CEL rule of the schema: ``{"rule": expression, "message": sentence}``."""


def rule(expression: str, message: str, **more: str) -> Rule:
    """One entry of ``x-kubernetes-validations``; ``message`` tells the user what to change."""
    return {"rule": expression, "message": message, **more}


def rules(*entries: Rule) -> dict[str, Any]:
    """The ``json_schema_extra`` that carries CEL rules into the schema of a model or a field."""
    return {"x-kubernetes-validations": list(entries)}


class ApiModel(BaseModel):
    """Base of everything in the API: camelCase outside, snake_case inside."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
        extra="ignore",
        protected_namespaces=(),
    )


DURATION = r"^([0-9]{1,8}(ms|s|m|h|d)){1,5}$"
_DURATION_PART = re.compile(r"([0-9]+)(ms|s|m|h|d)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def seconds(duration: str) -> float:
    """The seconds in a duration such as ``1h30m`` or ``250ms``."""
    return sum(int(number) * _SECONDS[unit] for number, unit in _DURATION_PART.findall(duration))


DnsLabel = Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")]
DnsSubdomain = Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$")]
ObjectName = Annotated[str, Field(min_length=1, max_length=40, pattern=r"^[a-z]([-a-z0-9]*[a-z0-9])?$")]
Duration = Annotated[str, Field(max_length=40, pattern=DURATION)]
Limit = Annotated[
    str,
    Field(
        max_length=40,
        pattern=DURATION,
        json_schema_extra=rules(
            rule(
                "self.matches('[1-9]')",
                "a limit of 0 would end everything at once; write a longer one, or leave the field out",
            )
        ),
    ),
]
"""A duration after which the operator ends something."""
Image = Annotated[str, Field(min_length=1, max_length=512, pattern=r"^[!-~]+$")]
Quantity = Annotated[
    str,
    Field(
        max_length=40,
        pattern=r"^([0-9]+(\.[0-9]*)?|\.[0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][-+]?[0-9]{1,2})?$",
        json_schema_extra={"x-kubernetes-int-or-string": True, "minimum": 0},
        coerce_numbers_to_str=True,
    ),
]
FileName = Annotated[
    str,
    Field(
        min_length=1,
        max_length=253,
        pattern=r"^[A-Za-z0-9._][-A-Za-z0-9._/]*$",
        json_schema_extra=rules(rule("!self.contains('..')", "a file is named without '..'")),
    ),
]
RevisionName = Annotated[str, Field(max_length=63)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", max_length=64)]
Timestamp = Annotated[str, Field(max_length=40, json_schema_extra={"format": "date-time"})]
Text = Annotated[str, Field(max_length=4096)]
Argument = Annotated[str, Field(max_length=4096)]
ResourceName = Annotated[str, Field(max_length=253)]
LabelValue = Annotated[str, Field(max_length=63)]
Free = Annotated[dict[str, Any], Field(json_schema_extra={"x-kubernetes-preserve-unknown-fields": True})]


class Resources(ApiModel):
    """Compute resources of a container, as in a Pod. Extended resources are allowed."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "!has(self.requests) || !has(self.limits) || self.requests.all(name, !(name in self.limits)"
                " || !isQuantity(string(self.requests[name])) || !isQuantity(string(self.limits[name]))"
                " || !quantity(string(self.requests[name])).isGreaterThan(quantity(string(self.limits[name]))))",
                "a request must not be greater than the limit of the same resource",
            )
        )
    )

    requests: dict[ResourceName, Quantity] = Field(default_factory=dict, max_length=32)
    limits: dict[ResourceName, Quantity] = Field(default_factory=dict, max_length=32)


class KeyRef(ApiModel):
    """A key of a ConfigMap or Secret."""

    name: DnsSubdomain
    key: Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[-._a-zA-Z0-9]+$")]
    optional: bool | None = Field(default=None, description="True: the pod starts even if the key is missing.")


class FieldRef(ApiModel):
    """A field of the pod."""

    field_path: Annotated[str, Field(min_length=1, max_length=512)]


class ResourceRef(ApiModel):
    """A request or limit of the container."""

    resource: Annotated[str, Field(min_length=1, max_length=253)]
    divisor: Quantity | None = None


class EnvVarSource(ApiModel):
    """The source of a value."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "[has(self.secretKeyRef), has(self.configMapKeyRef), has(self.fieldRef), has(self.resourceFieldRef)]"
                ".exists_one(given, given)",
                "give exactly one of secretKeyRef, configMapKeyRef, fieldRef, resourceFieldRef",
            )
        )
    )

    secret_key_ref: KeyRef | None = None
    config_map_key_ref: KeyRef | None = None
    field_ref: FieldRef | None = None
    resource_field_ref: ResourceRef | None = None


class EnvVar(ApiModel):
    """An environment variable: a value, or the source of one (a Secret's key, a field of the pod ...)."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule("!(has(self.value) && has(self.valueFrom))", "give either value or valueFrom, not both"),
            rule(
                "!self.name.startsWith('LAMPLIGHTER_') && !self.name.startsWith('PET_')",
                "names that begin with LAMPLIGHTER_ or PET_ are set by the operator; choose another name",
            ),
        )
    )

    name: Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[A-Za-z_][-._A-Za-z0-9]*$")]
    value: Annotated[str, Field(max_length=32768)] | None = None
    value_from: EnvVarSource | None = None


class TemplateMetadata(ApiModel):
    """Labels and annotations to add to the pods."""

    labels: dict[ResourceName, LabelValue] = Field(
        default_factory=dict,
        max_length=64,
        json_schema_extra=rules(
            rule(
                "self.all(key, !key.startsWith('lamplighter.dev/') && key != 'app.kubernetes.io/managed-by')",
                "labels lamplighter.dev/* and app.kubernetes.io/managed-by are set by the operator",
            )
        ),
    )
    annotations: dict[ResourceName, Annotated[str, Field(max_length=65536)]] = Field(
        default_factory=dict, max_length=64
    )


class PodTemplate(ApiModel):
    """Overrides, merged into the pods that the operator builds. Lists of named items merge by name."""

    metadata: TemplateMetadata = Field(default_factory=TemplateMetadata)
    spec: Free = Field(default_factory=dict, description="A partial PodSpec: nodeSelector, tolerations, volumes ...")


class Condition(ApiModel):
    """A condition as the Kubernetes API conventions define it."""

    type: Annotated[str, Field(max_length=316)]
    status: Annotated[str, Field(pattern="^(True|False|Unknown)$", max_length=7)]
    reason: Annotated[str, Field(min_length=1, max_length=1024, pattern=r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$")]
    message: Annotated[str, Field(max_length=32768)] = ""
    observed_generation: int | None = Field(default=None, ge=0)
    last_transition_time: Timestamp


ATOMIC: dict[str, Any] = {"x-kubernetes-list-type": "atomic"}
"""``json_schema_extra`` of a list that is always written as a whole."""


def list_map(*keys: str) -> dict[str, Any]:
    """``json_schema_extra`` of a list whose items are identified by these fields."""
    return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": list(keys)}


Conditions = Annotated[list[Condition], Field(max_length=16, json_schema_extra=list_map("type"))]

NAME_RULE = rule(
    "self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$') && size(self.metadata.name) <= 40",
    "metadata.name becomes the name of Jobs and Services: at most 40 characters, lower-case letters, digits and '-', "
    "beginning with a letter, no dots",
)
