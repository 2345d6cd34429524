"""A pod that serves: both protocols, its threads, what can be reached, and how it stops."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType
from typing import Any

import grpc
import pytest
from tests.serving.conftest import Start
from tests.serving.container import NAME, Container, docker, until
from tests.serving.handlers import ECHO, OPEN, OPEN_EXAMPLE

WARMUP = 2


@pytest.fixture(scope="module", autouse=True)
def inferring(starter: Start) -> Container:
    """A model of the Open Inference Protocol; it starts while others are asked."""
    config = {"service_envelope": "kservev2", "ts_open_inference_protocol": "true"}
    return starter(OPEN, OPEN_EXAMPLE, {"cpu": "1"}, config=config)


@pytest.fixture(scope="module")
def served(starter: Start) -> Container:
    """Two workers on two processors."""
    return starter(ECHO, warmup=WARMUP).until_ready()


def test_every_worker_is_warm_before_the_first_request(served: Container) -> None:
    answers = [served.predict(sleep=0.2)[1] for _ in range(1)]
    together: list[Any] = []
    threads = [threading.Thread(target=lambda: together.append(served.predict(sleep=1)[1])) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    answers += together
    assert len({answer["pid"] for answer in answers}) == 2
    assert min(answer["earlier"] for answer in answers) >= WARMUP


def test_requests_are_answered_together_and_those_beyond_the_queue_are_refused(starter: Start) -> None:
    batching = starter(ECHO, "{}", {"cpu": "1"}, batch_size=2, max_batch_delay="2s", job_queue_size=4).until_ready()
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: batching.predict(sleep=1), range(20)))
    assert {status for status, _ in answers} == {200, 503}
    assert 2 in {answer["together"] for status, answer in answers if status == 200}
    assert batching.predict()[0] == 200


def test_workers_and_threads_follow_the_processors(served: Container) -> None:
    answer = served.predict()[1]
    assert (answer["threads"], answer["omp"]) == (1, "1")


@pytest.mark.parametrize("path", ["predictions/{}", "predictions/{}/1.0", "v1/models/{}:predict", "v2/models/{}/infer"])
def test_http_predicts_by_each_of_its_paths(served: Container, path: str) -> None:
    status, answer = served.ask(8080, f"/{path.format(NAME)}", {})
    assert (status, "pid" in answer) == (200, True)


def test_grpc_predicts(served: Container, stubs: dict[str, ModuleType]) -> None:
    inference = stubs["inference_pb2"]
    with grpc.insecure_channel(f"{served.address}:7070") as channel:
        stub = stubs["inference_pb2_grpc"].InferenceAPIsServiceStub(channel)
        answer = stub.Predictions(inference.PredictionsRequest(model_name=NAME, input={"body": b"{}"}), timeout=20)
        with pytest.raises(grpc.RpcError) as error:
            stub.Predictions(
                inference.PredictionsRequest(model_name=NAME, input={"body": b'{"raise": "a"}'}), timeout=20
            )
    assert "pid" in json.loads(answer.prediction)
    assert error.value.code() is grpc.StatusCode.UNAVAILABLE


def test_the_management_apis_answer_inside_the_pod_only(
    served: Container, stubs: dict[str, ModuleType], image: str
) -> None:
    reach = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 2); print('open')"
    inside = [served.run("python", "-c", reach, "127.0.0.1", port) for port in ("8081", "7071")]
    assert inside == ["open", "open"]
    for port, opened in (("8081", False), ("7071", False), ("8080", True), ("7070", True)):
        said = docker("run", "--rm", image, "python", "-c", reach, served.address, port, check=False)
        assert (said == "open") is opened, port
    management = stubs["management_pb2_grpc"], stubs["management_pb2"]
    with grpc.insecure_channel(f"{served.address}:7070") as channel, pytest.raises(grpc.RpcError) as error:
        management[0].ManagementAPIsServiceStub(channel).ListModels(management[1].ListModelsRequest(), timeout=10)
    assert error.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert served.ask(8080, "/models", {"url": "https://example.com/x.mar"})[0] in (404, 405)


def test_metrics_are_of_the_model_and_not_of_the_node(served: Container) -> None:
    status, text = served.ask(8082, "/metrics")
    assert (status, "ts_inference_requests_total" in text) == (200, True)
    values = [line for line in text.splitlines() if not line.startswith("#")]
    assert not any(line.startswith(("CPUUtilization", "MemoryUsed", "DiskUsage")) for line in values)


def test_nothing_but_the_scratch_folders_can_be_written_and_nobody_has_a_right_too_many(served: Container) -> None:
    code = (
        "import os\n"
        "def writes(path):\n"
        "    try: open(path, 'w').close(); return True\n"
        "    except OSError: return False\n"
        "print([writes(p + '/probe') for p in ('/opt/venv', '/etc', '/lamplighter', '/tmp')], os.getuid())\n"
        "print([l.split()[1] for l in open('/proc/1/status') if l.startswith(('CapEff', 'CapBnd', 'NoNewPrivs'))])"
    )
    mayor, rights = served.run("python", "-c", code).splitlines()
    assert mayor == "[False, False, False, True] 1000"
    assert rights == "['0000000000000000', '0000000000000000', '1']"


def test_the_java_heap_is_a_share_of_the_memory(served: Container) -> None:
    code = "print([a for p in __import__('glob').glob('/proc/[0-9]*/cmdline') for a in open(p).read().split('\\0')])"
    arguments = served.run("python", "-c", code)
    assert "'-Xmx384m'" in arguments
    assert "'-XX:ActiveProcessorCount=2'" in arguments


def test_a_stop_loses_no_request_of_clients_that_leave_within_two_seconds(
    served: Container, stubs: dict[str, ModuleType]
) -> None:
    lost: list[object] = []
    asked: list[int] = []
    leave = threading.Event()

    def client(duration: float) -> None:
        while not leave.is_set():
            status, answer = served.predict(sleep=duration)
            asked.append(status)
            if status != 200:
                lost.append((status, answer))

    def grpc_client() -> None:
        request = stubs["inference_pb2"].PredictionsRequest(model_name=NAME, input={"body": b'{"sleep": 0.1}'})
        with grpc.insecure_channel(f"{served.address}:7070") as channel:
            stub = stubs["inference_pb2_grpc"].InferenceAPIsServiceStub(channel)
            while not leave.is_set():
                try:
                    stub.Predictions(request, timeout=30)
                except grpc.RpcError as error:
                    lost.append(error)

    clients = [threading.Thread(target=client, args=(seconds,)) for seconds in (0, 0, 0.05, 0.2, 3)]
    clients.append(threading.Thread(target=grpc_client))
    for thread in clients:
        thread.start()
    until("the clients are being served", lambda: len(asked) > 20)
    served.stop()
    until("the pod says that it stops", lambda: not served.ready())
    time.sleep(2)
    leave.set()
    for thread in clients:
        thread.join()
    assert (lost, len(asked) > 40) == ([], True)
    assert served.ended(30)[0] == 0


def test_the_open_inference_protocol_is_spoken_over_http_when_it_is_asked_for(inferring: Container) -> None:
    inferring.until_ready()
    request = {"id": "7", "inputs": [{"name": "x", "shape": [3], "datatype": "FP64", "data": [1, 2, 4]}]}
    status, answer = inferring.ask(8080, f"/v2/models/{NAME}/infer", request)
    assert (status, answer["id"], answer["outputs"][0]["data"]) == (200, "7", [7])
    assert inferring.ask(8080, "/v2/health/ready")[0] == 200
