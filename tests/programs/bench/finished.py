"""Trainings that finished long ago: their status and the ControllerRevision of their run, no Job and no pod any more.

One of them was really trained. The others are copies of what the operator left of it, so that the operator finds
nothing to correct.
"""

import time
from dataclasses import dataclass

import orjson
from tests.programs.bench import objects
from tests.programs.bench.measure import SINGLE_S, Ground, by_threads
from tests.programs.bench.server import PATHS, Connection
from tests.programs.bench.sightings import UnfinishedError

NAME = "really-trained"
PACKAGE = {"handler": "image_classifier"}
_REVISIONS = "/apis/apps/v1/namespaces/{}/controllerrevisions"
_KEPT = ("name", "labels", "ownerReferences")


@dataclass(frozen=True)
class Template:
    """What the operator left of a finished training, as JSON."""

    ground: Ground
    uid: str
    body: bytes
    status: bytes
    revision: bytes

    def write(self, names: list[str]) -> None:
        """Make finished trainings of these names."""
        by_threads(self.ground.server, names, self._write)

    def _write(self, connection: Connection, name: str) -> None:
        path = self.ground.path
        made = orjson.loads(connection.send("POST", path, self.body.replace(NAME.encode(), name.encode())).read())
        uid = made["metadata"]["uid"]
        made["status"] = orjson.loads(self._of(self.status, name, uid))
        connection.send("PUT", f"{path}/{name}/status", orjson.dumps(made)).read()
        revisions = _REVISIONS.format(self.ground.namespace)
        connection.send("POST", revisions, self._of(self.revision, name, uid)).read()

    def _of(self, text: bytes, name: str, uid: str) -> bytes:
        whole = text.replace(NAME.encode(), name.encode()).replace(self.uid.encode(), uid.encode())
        return whole.replace(self.uid[:8].encode(), uid[:8].encode())  # as in paths


def template(ground: Ground) -> Template:
    """Train one, by an operator that runs, and wait until its Jobs are gone."""
    server, body = ground.server, objects.training(NAME, suspend=False, package=PACKAGE, ttlAfterFinished="1s")
    server.call("POST", ground.path, orjson.loads(body))
    ground.done.wait([NAME], SINGLE_S)
    deadline = time.monotonic() + SINGLE_S
    while server.count("Job", ground.namespace):
        if time.monotonic() > deadline:
            raise UnfinishedError(f"the Jobs of a finished training are still there after {SINGLE_S:.0f} s")
        time.sleep(0.2)
    obj = server.call("GET", f"{PATHS['ModelTraining'].format(ground.namespace)}/{NAME}")
    revision = server.call("GET", f"{_REVISIONS.format(ground.namespace)}/{NAME}-1")
    revision["metadata"] = {field: revision["metadata"][field] for field in _KEPT}
    return Template(ground, obj["metadata"]["uid"], body, orjson.dumps(obj["status"]), orjson.dumps(revision))
