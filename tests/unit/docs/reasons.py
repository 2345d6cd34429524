"""Collects from the code every reason that a condition, an Event or a pod's /ready can give."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.tools import ROOT

from lamplighter.api.training import RunState
from lamplighter.training.failures import diagnosis

_REASON = re.compile(r"[A-Z]+[a-z]+([A-Z]+[a-z]*)*")
_CALLS = {
    # Calls that take a reason, and where: its position, or the keyword `reason`.
    "TerminalError": 0,
    "Failure": None,
    "_failure": 1,
    "_conclude": None,
    "set_condition": 3,
    "Event": 1,
    "Rule": 0,
    "Ending": 1,
    "FetchError": 1,
    "fail": 3,
    "Verdict": 1,
    "reason_word": 1,
    "blame": 1,
}
_WORD = "word"
"""The keyword with which a state is told by something more exact than its name."""
OPERATOR = ROOT / "operator" / "lamplighter"
IMAGES = ROOT / "training_images" / "runtime" / "lamplighter_runtime"


def of(folder: Path) -> set[str]:
    """The reasons in the Python files of a folder."""
    return {reason for path in folder.rglob("*.py") for reason in _in(ast.parse(path.read_text(encoding="utf-8")))}


def of_runs() -> set[str]:
    """The reasons that are states of a run, and the Events of those that are final."""
    return {state.value for state in RunState} | {f"Run{state.value}" for state in RunState if state.final}


def of_pods() -> set[str]:
    """The reasons of termination messages that the operator tells apart, and what it makes of disruptions."""
    return {*diagnosis._CAUSES, *(reason for _, reason, _ in diagnosis._DISRUPTIONS.values())}


def possible() -> set[str]:
    """All of them."""
    return of(OPERATOR) | of(IMAGES) | of_runs() | of_pods()


def _in(tree: ast.AST) -> Iterator[str]:
    variables: dict[str, list[ast.expr]] = {}
    for node in ast.walk(tree):
        for name, value in _assigned(node):
            variables.setdefault(name, []).append(value)
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg == _WORD:
            yield from _strings(node.value, variables)
        if isinstance(node, ast.Dict):
            pairs = zip(node.keys, node.values, strict=True)
            fields = {key.value: value for key, value in pairs if isinstance(key, ast.Constant)}
            if {"cause", "reason"} <= fields.keys():
                yield from _strings(fields["reason"], variables)
        if isinstance(node, ast.Call) and (argument := _argument(node)) is not None:
            yield from _strings(argument, variables)


def _assigned(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """The variables that a statement sets: one, or several from a tuple."""
    if not isinstance(node, ast.Assign):
        return
    target, value = node.targets[0], node.value
    if isinstance(target, ast.Name):
        yield target.id, value
    elif isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        pairs = zip(target.elts, value.elts, strict=False)
        yield from ((name.id, one) for name, one in pairs if isinstance(name, ast.Name))


def _argument(call: ast.Call) -> ast.expr | None:
    """The argument of a call that is a reason."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if name not in _CALLS:
        return None
    position = _CALLS[name]
    if position is not None and len(call.args) > position:
        return call.args[position]
    return next((keyword.value for keyword in call.keywords if keyword.arg == "reason"), None)


def _strings(value: ast.expr, variables: dict[str, list[ast.expr]]) -> Iterator[str]:
    """The words that an expression can be: a constant, one or the other, the last resort after `or`, a variable."""
    if isinstance(value, ast.Constant):
        if isinstance(value.value, str) and _REASON.fullmatch(value.value):
            yield value.value
    elif isinstance(value, ast.IfExp):
        yield from (*_strings(value.body, variables), *_strings(value.orelse, variables))
    elif isinstance(value, ast.BoolOp):
        for one in value.values:
            yield from _strings(one, variables)
    elif isinstance(value, ast.Name):
        for one in variables.get(value.id, ()):
            yield from _strings(one, {name: held for name, held in variables.items() if name != value.id})
