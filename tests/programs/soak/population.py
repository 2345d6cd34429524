"""The trainings of a soak, by the dice: wide and narrow, strict and lenient, elastic, packaged, held and resumed."""

import random
from dataclasses import dataclass, field

from tests.programs.soak.ground import KWOK
from tests.samples.objects import training

from lamplighter.core.objects import Obj

CLAIM = "models"


@dataclass(frozen=True)
class Member:
    """One training: when it is created (0 to 1, as a part of the storm), and when a user holds it and lets it go."""

    name: str
    obj: Obj
    comes: float
    turns: tuple[float, ...] = ()
    """Seconds between the turns of spec.suspend, from the creation on."""
    widths: tuple[int, ...] = field(default=())
    """What an elastic one's spec.nodes becomes in turn."""


def population(dice: random.Random, count: int) -> list[Member]:
    """So many trainings."""
    return [_member(dice, f"t{number:03}") for number in range(count)]


def _member(dice: random.Random, name: str) -> Member:
    held = dice.random() < 0.25
    elastic = dice.random() < 0.2
    kwok = dice.choices(("hold", "stuck", None), (6, 3, 1))[0]
    spec: Obj = {
        "nodes": 2 if elastic else dice.randint(1, 3),
        "output": {"claimName": CLAIM, "accessModes": ["ReadWriteMany"]},
        "failurePolicy": {
            "maxRestarts": dice.choice((0, 1, 1, 3)),
            "maxHangRestarts": dice.choice((1, 3)),
            "maxInfrastructureRestarts": 1000,
            "backoff": {"initial": "1s", "max": "4s"},
        },
        "ttlAfterFinished": "24h",
    }
    if elastic:
        spec["elastic"] = {"minNodes": 1, "maxNodes": 3}
    if dice.random() < 0.3:
        spec["package"] = {"handler": "image_classifier"}
    if kwok:
        spec["template"] = {"metadata": {"annotations": {KWOK: kwok}}}
    if held:
        spec["suspend"] = dice.random() < 0.3
    turns = tuple(dice.uniform(0.5, 12) for _ in range(2 * dice.randint(1, 2))) if held else ()
    widths = tuple(dice.randint(1, 3) for _ in range(3)) if elastic else ()
    return Member(name, training(name, **spec), dice.uniform(0, 0.8), turns, widths)
