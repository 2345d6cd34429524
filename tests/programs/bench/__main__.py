"""Measures what we promise, on a kwok cluster of its own: one JSON object on standard output, all else on stderr.

    python -m tests.programs.bench [--quick] [--only KEY] [--keep] [--profile FILE]

Twice the same figures, each with a fresh cluster and a fresh operator: with trainings that run to their end on fake
nodes (at the top), and with suspended ones (under ``suspended``: no pods, the operator alone; done when the status says
Suspended).

    training_latency_ms    a single training, one after another: create accepted -> its Job on an open watch
    training_burst         seconds since the first create by 8 threads: all accepted, all Jobs seen, all ended
    operator               resident memory idle and after the largest burst; CPU per training of that burst
    requests_per_training  what the operator sent to the API server, by verb
    writes_until_running   those that change something, until the training is Running
    default_claim          a burst where the operator makes a claim for each training
    progress               500 trainings that report as often as they may: reports taken and status writes per second,
                           milliseconds from a report to its answer, on a new connection each
    restart_s              median: one pod of a gang of so many is marked as failed -> all pods of the next exist;
                           restart_until_job_s is until its Job does, the operator's part of it
    raw_*, ratios          the same number of bare Jobs without the operator, and our figures in units of theirs
    linearity              time per training in the largest burst in units of the smallest one's
    others                 CPU of the control plane and of the benchmark, per training and per bare Job
    noise                  cores that strangers used during the largest burst, and that the host withheld
    aims                   what we aim at beside what was measured; nothing is asserted

Once, on clusters of their own:

    scale                  an operator starts with so many trainings that finished long ago: seconds until it is idle,
                           its CPU and writes until then, its memory then and at most; growth 1 is linear
    deployments_1000       1,000 deployments of one pod created by 8 threads until all are Ready, then a new revision of
                           200 of them in steps; router pods are answered for, since fake nodes run nothing.
                           raw_*: the same Deployments, Services and so on without the operator, ratio_*: ours to it
    serving                on kind: what the router adds, how exact and quick a split is, requests lost by transition
    overhead_s             on kind: seconds in which no code of the user ran between accepted and done, in parts

The exit status is 1 only when something did not finish. Figures of a busy machine are worth little: look at ``noise``.
"""

import argparse
import contextlib
import signal
import sys
from pathlib import Path
from typing import Any

import orjson
from tests.programs.bench import cluster, deployments, figures, machine, overhead, scale, serving
from tests.programs.bench.figures import rounded
from tests.programs.bench.mode import PARTS, QUICK, WITH_PODS, Mode, Sizes
from tests.programs.bench.sightings import UnfinishedError

ONCE = ("scale", "overhead_s", "deployments_1000", "serving")


def main() -> int:
    """Measure, print, and tell by the exit status whether all was measured."""
    options = _options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the cluster and the operator are ended
    sys.setswitchinterval(0.0005)  # the watch must not wait 5 ms for a creating thread
    try:
        with cluster.alone():
            report = _report(options)
    except UnfinishedError as error:
        print(f"error: the benchmark did not finish: {error}", file=sys.stderr)
        return 1
    sys.stdout.buffer.write(orjson.dumps(report, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    return 0


def _report(options: argparse.Namespace) -> dict[str, Any]:
    report: dict[str, Any] = {"machine": machine.describe()}
    for suspend in (False, True):
        parts = _parts(options.only, suspend)
        if parts:
            measured = _measure(options, parts, suspend, report)
            report |= {"suspended": measured} if suspend else measured
    aims: dict[str, Any] = {}
    if options.only in (None, "scale"):
        report["scale"] = _scale(options, report)
        aims |= figures.judge(report, figures.SCALE_AIMS)
    if options.only in (None, "overhead_s"):
        report["overhead_s"] = overhead.overhead_s()
        aims |= figures.judge(report, figures.OVERHEAD_AIMS)
    if options.only in (None, "deployments_1000"):
        report["deployments_1000"] = _deployments(options, report)
        aims |= figures.judge(report, deployments.AIMS)
    if options.only in (None, "serving"):
        report["serving"] = serving.serving(_sizes(options).requests)
        aims |= figures.judge(report, serving.AIMS)
    return report | {"aims": report.get("aims", {}) | aims}


def _scale(options: argparse.Namespace, report: dict[str, Any]) -> dict[str, Any]:
    with cluster.fresh(options.keep) as here:
        report.setdefault("versions", machine.versions(here.server))
        return scale.scale(here, _sizes(options).finished, options.profile)


def _deployments(options: argparse.Namespace, report: dict[str, Any]) -> dict[str, Any]:
    count, promoted = _sizes(options).deployments
    with cluster.fresh() as here:
        report.setdefault("versions", machine.versions(here.server))
        raw = deployments.raw(here, count, promoted)
    with cluster.fresh(options.keep) as here:
        found = deployments.deployments(here, count, promoted, options.profile)
    compared = {f"raw_{key}": rounded(value) for key, value in raw.items()}
    return found | compared | {f"ratio_{key}": rounded(found[key] / value) for key, value in raw.items()}


def _sizes(options: argparse.Namespace) -> Sizes:
    return QUICK if options.quick else Sizes()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.programs.bench", description="Measure what we promise.")
    parser.add_argument("--quick", action="store_true", help="small sizes: does it work? Not for comparing")
    parser.add_argument("--only", choices=[*PARTS, "suspended", *ONCE], help="measure only this")
    parser.add_argument("--keep", action="store_true", help="leave the last cluster up")
    parser.add_argument("--profile", type=Path, metavar="FILE", help="run the operator under cProfile (much slower)")
    return parser.parse_args()


def _parts(only: str | None, suspend: bool) -> tuple[str, ...]:
    if only in ONCE:
        return ()
    if only is None:
        return PARTS
    if only == "suspended":
        return PARTS if suspend else ()
    return () if only in WITH_PODS and suspend else (only,)


def _measure(options: argparse.Namespace, parts: tuple[str, ...], suspend: bool, report: dict[str, Any]) -> Any:
    profile = options.profile
    if profile is not None:
        profile = profile.with_name(f"{profile.stem}.{'suspended' if suspend else 'running'}{profile.suffix}")
    with contextlib.ExitStack() as stack:
        here = stack.enter_context(cluster.fresh(options.keep))
        report.setdefault("versions", machine.versions(here.server))
        return Mode(here, _sizes(options), parts, suspend, profile).run()


if __name__ == "__main__":
    sys.exit(main())
