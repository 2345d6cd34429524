"""Router pods, and kubelets that bring them one configuration after the other, some of them late."""

from tests.builders import a_pod, a_workload
from tests.builders.objects import Obj
from tests.builders.routers import split_in
from tests.unit.convergence.server import Server

CONFIG = "lamplighter.dev/config"
_PLACE = ("ConfigMap", "digits-router")


class Routers:
    """The router pods of a server, and what each was told."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.told: list[tuple[str, dict[str, int]]] = []
        """Version and weights of every configuration that there was, in this order."""
        self._at: dict[str, int] = {}
        self._lives = 0

    @property
    def at(self) -> dict[str, int]:
        """The pods that exist, and which of the configurations each has."""
        pods = [obj for (kind, _), obj in sorted(self._server.objects.items()) if kind == "Pod"]
        uids = {pod["metadata"]["name"]: pod["metadata"]["uid"] for pod in pods}
        return {name: self._at[uid] for name, uid in uids.items() if uid in self._at}

    @property
    def names(self) -> list[str]:
        """The pods that exist."""
        return sorted(self.at)

    def version(self, name: str) -> str:
        """The version that a pod has."""
        return self.told[self.at[name]][0]

    def weights(self) -> list[dict[str, int]]:
        """How each pod splits the requests."""
        return [self.told[at][1] for at in self.at.values()]

    def may_send_to(self, revision: str) -> str | None:
        """A pod that sends requests to a revision, or will when its kubelet comes to what was told since."""
        found = (name for name, at in self.at.items() for _, weights in self.told[at:] if revision in weights)
        return next(found, None)

    def most(self, revision: str) -> int:
        """The most percent that a pod sends to a revision, or will when its kubelet comes to what was told since."""
        return max((weights.get(revision, 0) for at in self.at.values() for _, weights in self.told[at:]), default=0)

    def note(self) -> None:
        """Remember what the pods are told now."""
        found = self._server.objects.get(_PLACE)
        if found is not None and (not self.told or self.told[-1][0] != found["metadata"]["annotations"][CONFIG]):
            self.told.append((found["metadata"]["annotations"][CONFIG], split_in(found)))

    def sync(self, name: str) -> None:
        """A kubelet brings a pod the newest configuration."""
        self.note()
        if self.told and ("Pod", name) in self._server.objects:
            self._at[self._server.objects["Pod", name]["metadata"]["uid"]] = len(self.told) - 1

    def advance(self, name: str) -> None:
        """A late kubelet brings a pod the configuration after its own."""
        self.note()
        uid = self._server.objects["Pod", name]["metadata"]["uid"]
        self._at[uid] = min(self._at[uid] + 1, len(self.told) - 1)

    def start(self, workload: Obj) -> None:
        """The pods of a Deployment that are missing start."""
        for index in range(workload["spec"]["replicas"]):
            alive = [name for name in self.names if name.startswith(workload["metadata"]["name"])]
            if len(alive) < workload["spec"]["replicas"]:
                pod = a_pod(workload, index + 10 * self._lives).ready().obj()
                self._server.put(pod)
                self.sync(pod["metadata"]["name"])

    def replace(self) -> None:
        """A pod is gone, and another one comes later."""
        for name in self.names[:1]:
            self._server.remove(("Pod", name))
            self._lives += 1

    def unready(self, name: str) -> None:
        """A pod is not ready any more, runs on, and its Deployment says so."""
        self._server.change(("Pod", name), lambda pod: pod["status"].update(conditions=[]))
        for (kind, workload), obj in list(self._server.objects.items()):
            if kind == "Deployment" and name.startswith(workload):
                self._server.put(a_workload(obj).ready(1).obj())
