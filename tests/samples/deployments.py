"""ModelDeployments that the API accepts and refuses; the unit and the integration tests share these tables."""

from tests.samples.objects import SHA, Invalid, Valid, deployment

NAME = "metadata.name becomes the name of Jobs and Services: at most 40 characters"
URI = "pvc://digits-models/digits/1/model.mar"
EITHER = "give either spec.model.trainingRef or spec.model.uri with spec.model.sha256"
TOGETHER = "spec.model.uri and spec.model.sha256 belong together"

FULL = deployment(
    model={"uri": URI, "sha256": SHA},
    runtime={
        "image": "lamplighter/torchserve:dev",
        "workers": 2,
        "batchSize": 8,
        "maxBatchDelay": "20ms",
        "jobQueueSize": 500,
        "responseTimeout": "1m30s",
        "config": {"prefer_direct_buffer": "true", "max_request_size": "6553500"},
    },
    replicas=0,
    resources={"requests": {"cpu": "250m"}, "limits": {"cpu": 1, "memory": "1Gi"}},
    template={"metadata": {"annotations": {"a": "b"}}, "spec": {"priorityClassName": "high"}},
    revisionHistoryLimit=0,
)

VALID = (
    Valid("the smallest", deployment()),
    Valid("every field", FULL),
    Valid("a pinned run", deployment(model={"trainingRef": {"name": "digits", "run": 3}})),
    Valid("a name of 40 characters", deployment(name="a" * 40)),
    Valid("null where a field may be left out", deployment(replicas=None, runtime=None)),
    Valid("empty objects", deployment(runtime={}, resources={}, template={})),
    Valid("the most replicas", deployment(replicas=1000)),
)

INVALID = (
    Invalid("a name with a dot", deployment(name="llama-3.1"), NAME),
    Invalid("a name of 41 characters", deployment(name="a" * 41), NAME),
    Invalid("no model", deployment(without=("model",)), "spec.model: Required value"),
    Invalid("an empty model", deployment(model={}), EITHER),
    Invalid("both models", deployment(model={"trainingRef": {"name": "a"}, "uri": URI, "sha256": SHA}), EITHER),
    Invalid("a digest alone", deployment(model={"sha256": SHA}), TOGETHER),
    Invalid("an archive without digest", deployment(model={"uri": URI}), TOGETHER),
    Invalid("a short digest", deployment(model={"uri": URI, "sha256": SHA[:8]}),
            "spec.model.sha256 in body should match"),
    Invalid("a digest in capitals", deployment(model={"uri": URI, "sha256": SHA.upper()}), "spec.model.sha256 in body"),
    Invalid("a digest with prefix", deployment(model={"uri": URI, "sha256": f"sha256:{SHA}"}),
            "spec.model.sha256: Too long"),
    Invalid("a store that is not known", deployment(model={"uri": "gs://models/a.mar", "sha256": SHA}),
            "spec.model.uri must be pvc://<claim>/<path to the .mar>"),
    Invalid("an archive above the claim", deployment(model={"uri": "pvc://models/../a.mar", "sha256": SHA}),
            "spec.model.uri must be pvc://<claim>/<path to the .mar>"),
    Invalid("no archive", deployment(model={"uri": "pvc://models/model.pt", "sha256": SHA}),
            "spec.model.uri must be pvc://<claim>/<path to the .mar>"),
    Invalid("a training in another namespace", deployment(model={"trainingRef": {"name": "team/digits"}}),
            "spec.model.trainingRef.name in body should match"),
    Invalid("a training without name", deployment(model={"trainingRef": {"run": 1}}),
            "spec.model.trainingRef.name: Required value"),
    Invalid("run 0", deployment(model={"trainingRef": {"name": "a", "run": 0}}),
            "should be greater than or equal to 1"),
    Invalid("negative replicas", deployment(replicas=-1), "spec.replicas in body should be greater than or equal to 0"),
    Invalid("too many replicas", deployment(replicas=1001),
            "spec.replicas in body should be less than or equal to 1000"),
    Invalid("replicas as text", deployment(replicas="2"), "must be of type integer"),
    Invalid("no workers", deployment(runtime={"workers": 0}), "spec.runtime.workers in body should be greater than"),
    Invalid("too large a batch", deployment(runtime={"batchSize": 1025}),
            "spec.runtime.batchSize in body should be less"),
    Invalid("an empty queue", deployment(runtime={"jobQueueSize": 0}), "spec.runtime.jobQueueSize in body"),
    Invalid("a bad delay", deployment(runtime={"maxBatchDelay": "50 ms"}),
            "spec.runtime.maxBatchDelay in body should match"),
    Invalid("a setting with a dash", deployment(runtime={"config": {"job-queue": "1"}}),
            "a key of spec.runtime.config is a setting of TorchServe"),
    Invalid("a setting of two lines", deployment(runtime={"config": {"a": "1\nmodel_store=/"}}), "should match"),
    Invalid("a setting that goes on", deployment(runtime={"config": {"a": "1\\"}}), "should match"),
    Invalid("a setting of Lamplighter", deployment(runtime={"config": {"management_address": "http://0.0.0.0:8081"}}),
            "spec.runtime.config must not name what Lamplighter sets"),
    Invalid("too many settings", deployment(runtime={"config": {f"a{n}": "1" for n in range(65)}}), "Too many"),
    Invalid("too long a setting", deployment(runtime={"config": {"a" * 129: "1"}}), "a key has at most 128 characters"),
    Invalid("a request above the limit", deployment(resources={"requests": {"cpu": 2}, "limits": {"cpu": "1500m"}}),
            "a request must not be greater than the limit of the same resource"),
    Invalid("a negative history", deployment(revisionHistoryLimit=-1), "spec.revisionHistoryLimit in body"),
)  # fmt: skip
