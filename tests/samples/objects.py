"""How samples are written: an object, and the sentence with which it is refused when it is invalid."""

from copy import deepcopy
from dataclasses import dataclass
from typing import Any

Obj = dict[str, Any]

API_VERSION = "lamplighter.dev/v1alpha1"
SHA = "4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945"


@dataclass(frozen=True)
class Valid:
    """An object that must be accepted."""

    what: str
    obj: Obj


@dataclass(frozen=True)
class Invalid:
    """An object that must be refused, and a part of what the user must then read."""

    what: str
    obj: Obj
    sentence: str


def training(name: str = "digits", without: tuple[str, ...] = (), **spec: Any) -> Obj:
    """The smallest ModelTraining, with these fields of the spec changed and those left out."""
    smallest = {"image": "lamplighter/pytorch:dev", "entrypoint": "train.py"}
    return _object("ModelTraining", name, smallest, without, spec)


def deployment(name: str = "digits", without: tuple[str, ...] = (), **spec: Any) -> Obj:
    """The smallest ModelDeployment, with these fields of the spec changed and those left out."""
    return _object("ModelDeployment", name, {"model": {"trainingRef": {"name": "digits"}}}, without, spec)


def _object(kind: str, name: str, smallest: Obj, without: tuple[str, ...], changed: Obj) -> Obj:
    spec = {key: value for key, value in {**smallest, **deepcopy(changed)}.items() if key not in without}
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": name}, "spec": spec}
