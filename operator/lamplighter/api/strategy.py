"""How a new revision takes over: in steps of weight, by a switch, or after the old one has gone."""

from pydantic import ConfigDict, Field

from lamplighter.api.common import ATOMIC, ApiModel, Duration, rule, rules


class Step(ApiModel):
    """One step of a canary."""

    weight: int = Field(ge=0, le=100, description="Percent of the requests that the candidate answers.")
    hold: Duration = Field(default="0s", description="How long this weight is kept once every router pod has it.")
    pause: bool = Field(default=False, description="True: afterwards somebody has to promote, resume or skip.")
    mirror: int = Field(
        default=0,
        ge=0,
        le=100,
        description="Percent of the requests that the candidate is sent a copy of; its answers to them are dropped.",
    )


class Canary(ApiModel):
    """The candidate's weight rises in steps. After the last one it gets everything; without steps, at once."""

    steps: list[Step] = Field(default_factory=list, max_length=32, json_schema_extra=ATOMIC)


class BlueGreen(ApiModel):
    """The candidate comes up in full size behind ``<name>-preview``, and gets all requests in one switch."""

    hold: Duration = Field(default="0s", description="How long it is only previewed.")
    auto_promote: bool = Field(default=True, description="False: somebody has to promote it.")
    keep: Duration = Field(
        default="10m", description="How long the old revision is kept warm after the switch, for undo."
    )


class Recreate(ApiModel):
    """The old revision is stopped first, for clusters that have no room for two: nothing serves meanwhile."""


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
        default="10m", description="A rollout that gets no further for so long is told of as stalled."
    )
