"""Whether the record of a training shows one right way to one end. Pure."""

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from tests.programs.soak.record import Entry, jobs, runs

from lamplighter.api.failures import Cause, FailurePolicy
from lamplighter.core.objects import Obj
from lamplighter.training.failures import budget

FINAL = ("Succeeded", "Failed", "Lost", "Superseded")
_OVER = ("Complete", "Failed")
_BY_DICE = (Cause.USER_ERROR, Cause.OUT_OF_MEMORY, Cause.HANG, Cause.HARDWARE)
"""Causes that come from nothing but a program's end."""


def of_training(training: Obj, story: list[Entry], injected: Mapping[Cause, int]) -> list[str]:
    """What is wrong, as sentences; none: all is well. ``injected``: the deaths that the dice dealt out."""
    told = [entry.said["run"] for entry in runs(story)]
    if not any(run["state"] in FINAL for run in told):
        return [f"it never came to an end: {told[-1] if told else 'it was never looked at'}"]
    policy = FailurePolicy.model_validate(training["spec"].get("failurePolicy", {}))
    return [
        *_one_end(told),
        *_jobs_once(story),
        *_attempts(story, told),
        *_budgets(policy, told),
        *_causes(told, injected),
        *_jobs_over(story),
        *_pods_over(story),
    ]


def _one_end(told: list[dict[str, Any]]) -> Iterable[str]:
    numbers = {run["number"] for run in told}
    if numbers != {1}:
        yield f"it was run more than once: {sorted(numbers)}"
    first = next(position for position, run in enumerate(told) if run["state"] in FINAL)
    for run in told[first + 1 :]:
        if run != told[first]:
            yield f"it ended as {told[first]} and later said {run}"
    if told[first]["state"] not in ("Succeeded", "Failed"):
        yield f"it ended as {told[first]['state']}: {told[first].get('failure')}"


def _jobs_once(story: list[Entry]) -> Iterable[str]:
    uids: defaultdict[str, set[str]] = defaultdict(set)
    for entry in jobs(story):
        uids[entry.name].add(entry.uid)
    for name, found in uids.items():
        if len(found) > 1:
            yield f"Job {name} was made {len(found)} times"


def _attempts(story: list[Entry], told: list[dict[str, Any]]) -> Iterable[str]:
    made: defaultdict[str, set[int]] = defaultdict(set)
    for entry in jobs(story):
        made[entry.said["stage"]].add(int(entry.said["attempt"]))
    for stage, numbers in made.items():
        if numbers != set(range(1, max(numbers) + 1)):
            yield f"stage {stage} has Jobs of the attempts {sorted(numbers)}"
    reached = {run["stage"]: run["attempt"] for run in told}
    for stage, attempt in reached.items():
        last = max(made[stage], default=0)
        if last != attempt:
            yield f"the status is at attempt {attempt} of stage {stage}, and the last Job is of {last}"
    for before, after in itertools.pairwise(told):
        if before["stage"] == after["stage"] and after["attempt"] < before["attempt"]:
            yield f"the attempt went back from {before['attempt']} to {after['attempt']}"
        if after["stage"] == "train" != before["stage"]:
            yield f"stage {before['stage']} was followed by stage train"
    preempted = sum(last.get("failures", {}).get(Cause.PREEMPTED, 0) for last in _ends(told))
    counted = told[-1]["restarts"] + preempted
    repeated = sum(attempt - 1 for attempt in reached.values())
    if counted != repeated:
        yield f"{counted} restarts and preemptions are counted, and {repeated} attempts were not first ones"


def _ends(told: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The last word of each stage: each counts its own failures."""
    return list({run["stage"]: run for run in told}.values())


def _budgets(policy: FailurePolicy, told: list[dict[str, Any]]) -> Iterable[str]:
    spent, counted = 0, told[-1]["restarts"]
    by_stage = [(end, *entry) for end in _ends(told) for entry in end.get("failures", {}).items()]
    for last, name, times in by_stage:
        cause = Cause(name)
        limit = budget.allowed(policy, cause)
        ended = last["state"] == "Failed" and last.get("failure", {}).get("cause") == name
        if limit is not None and times - ended > limit:
            yield f"{times} failures by {name} were answered, and its budget is {limit}"
        if ended and limit is not None and times <= limit:
            yield f"it ended by {name}, whose budget of {limit} was not spent: {times}"
        spent += (times - ended) * budget.spends(cause)
    if spent != counted:
        yield f"{spent} failures were answered that spend a budget, and {counted} restarts are counted"


def _causes(told: list[dict[str, Any]], injected: Mapping[Cause, int]) -> Iterable[str]:
    last = told[-1]
    for cause in _BY_DICE:
        times = sum(end.get("failures", {}).get(cause, 0) for end in _ends(told))
        if times > injected.get(cause, 0):
            yield f"{times} failures are put down to {cause.value}, and there were {injected.get(cause, 0)}"
    if last["state"] == "Failed" and last.get("failure", {}).get("cause") not in _BY_DICE:
        yield f"it failed because of {last.get('failure')}, which has budget enough"


def _jobs_over(story: list[Entry]) -> Iterable[str]:
    for name, entry in _newest(jobs(story)).items():
        if entry.event != "DELETED" and not _over(entry.said):
            yield f"Job {name} is not over: {entry.said}"


def _over(job: dict[str, Any]) -> bool:
    """True when nothing of a Job can run any more.

    One that failed while it was suspended keeps FailureTarget for ever: the Job controller says Failed only of Jobs
    that are not suspended.
    """
    done = set(job["conditions"])
    dead = job["suspend"] and "FailureTarget" in done and not job.get("active") and not job.get("terminating")
    return dead or bool(done & set(_OVER))


def _pods_over(story: list[Entry]) -> Iterable[str]:
    for name, entry in _newest(entry for entry in story if entry.kind == "Pod").items():
        if entry.event != "DELETED" and entry.said["phase"] not in ("Succeeded", "Failed"):
            yield f"pod {name} is left, and nobody wants it: {entry.said}"


def _newest(entries: Iterable[Entry]) -> dict[str, Entry]:
    return {entry.name: entry for entry in entries}


def summary(stories: Mapping[str, list[Entry]]) -> dict[str, Any]:
    """How the trainings ended, and of what their attempts died."""
    ends: Counter[str] = Counter()
    causes: Counter[str] = Counter()
    made = 0
    for story in stories.values():
        told = [entry.said["run"] for entry in runs(story)]
        if told:
            ends[told[-1]["state"]] += 1
            causes.update(told[-1].get("failures", {}))
        made += len({entry.name for entry in jobs(story)})
    return {"ends": dict(ends), "failures": dict(causes), "jobs": made}
