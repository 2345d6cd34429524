"""How a new revision takes over: in steps of weight, in one switch, or after the old one has stopped."""

from pydantic import ConfigDict, Field

from lamplighter.api.common import ATOMIC, ApiModel, Duration, rule, rules


class Step(ApiModel):
    """One step of a canary."""

    weight: int = Field(ge=0, le=100, description="Percent of the requests that the candidate receives.")
    hold: Duration = Field(default="0s", description="How long to keep this weight once every router pod has it.")
    pause: bool = Field(
        default=False, description="True: afterwards the rollout waits for a promote, resume or skip annotation."
    )
    mirror: int = Field(
        default=0,
        ge=0,
        le=100,
        description="Percent of the requests that are also copied to the candidate; its responses are dropped.",
    )


class Canary(ApiModel):
    """The candidate's weight changes in steps. After the last step it receives all requests; without steps, at once."""

    steps: list[Step] = Field(default_factory=list, max_length=32, json_schema_extra=ATOMIC)


class BlueGreen(ApiModel):
    """The candidate starts at full size behind the Service ``<name>-preview``; one switch gives it all requests."""

    hold: Duration = Field(default="0s", description="How long the candidate stays in preview before the switch.")
    auto_promote: bool = Field(default=True, description="False: the switch waits for a promote annotation.")
    keep: Duration = Field(
        default="10m", description="How long the old revision keeps its pods after the switch, for a quick undo."
    )


class Recreate(ApiModel):
    """The old revision stops first, for clusters without room for two. Nothing serves meanwhile."""


class Strategy(ApiModel):
    """How a new revision takes over. Default: a canary without steps."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "[has(self.canary), has(self.blueGreen), has(self.recreate)].filter(given, given).size() <= 1",
                "give at most one of spec.strategy.canary, spec.strategy.blueGreen, spec.strategy.recreate",
            )
        )
    )

    canary: Canary | None = None
    blue_green: BlueGreen | None = None
    recreate: Recreate | None = None
    progress_deadline: Duration = Field(
        default="10m",
        description="A rollout that makes no progress for this long is reported as stalled; it is not ended.",
    )
