"""TorchServe's settings: ours, the defaults, and the user's."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamplighter_runtime.common.environment import ConfigurationError
from lamplighter_runtime.serving import torchserve_config

ENVIRON = {
    "LAMPLIGHTER_MODEL_NAME": "digits",
    "LAMPLIGHTER_MODEL_STORE": "/lamplighter/store",
    "LAMPLIGHTER_WORKERS": "2",
    "LAMPLIGHTER_BATCH_SIZE": "8",
    "LAMPLIGHTER_MAX_BATCH_DELAY_MS": "20",
    "LAMPLIGHTER_JOB_QUEUE_SIZE": "50",
    "LAMPLIGHTER_RESPONSE_TIMEOUT_S": "10",
    "LAMPLIGHTER_TORCHSERVE_CONFIG": "",
}
EXPECTED = """\
number_of_gpu=0
number_of_netty_threads=3
netty_client_threads=3
disable_system_metrics=true
default_startup_timeout=300
prefer_direct_buffer=true
inference_address=http://0.0.0.0:8080
management_address=http://127.0.0.1:8081
metrics_address=http://0.0.0.0:8082
grpc_inference_address=0.0.0.0
grpc_inference_port=7070
grpc_management_address=127.0.0.1
grpc_management_port=7071
model_store=/lamplighter/store
load_models=digits=digits.mar
models={"digits": {"1.0": {"defaultVersion": true, "marName": "digits.mar", "minWorkers": 2, "maxWorkers": 2, \
"batchSize": 8, "maxBatchDelay": 20, "responseTimeout": 10}}}
default_workers_per_model=2
default_response_timeout=10
job_queue_size=50
disable_token_authorization=true
enable_model_api=false
allowed_urls=file:///lamplighter/store/.*
install_py_dep_per_model=false
enable_envvars_config=false
metrics_mode=prometheus
"""


def settings(processors: int = 8, memory: int | None = None, **changes: str) -> torchserve_config.Settings:
    return torchserve_config.settings({**ENVIRON, **changes}, processors, memory)


def test_the_properties_that_torchserve_gets():
    chosen = settings(LAMPLIGHTER_TORCHSERVE_CONFIG="prefer_direct_buffer=true\nvmargs=-Xmx1g")
    assert torchserve_config.properties(chosen, "1.0") == EXPECTED


def test_a_default_can_be_changed_and_appears_once():
    chosen = settings(LAMPLIGHTER_TORCHSERVE_CONFIG="default_startup_timeout=900")
    lines = torchserve_config.properties(chosen, "1.0").splitlines()
    assert [line for line in lines if line.startswith("default_startup_timeout")] == ["default_startup_timeout=900"]


@pytest.mark.parametrize("key", sorted(torchserve_config.OWNED))
def test_what_lamplighter_sets_cannot_be_set_by_the_user(key: str):
    with pytest.raises(ConfigurationError, match=rf"spec\.runtime\.config: {key} is set by Lamplighter"):
        settings(LAMPLIGHTER_TORCHSERVE_CONFIG=f"  {key} = x")


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("LAMPLIGHTER_MODEL_NAME", "", "LAMPLIGHTER_MODEL_NAME is not set"),
        ("LAMPLIGHTER_WORKERS", "two", "LAMPLIGHTER_WORKERS is 'two', which is not a whole number"),
        ("LAMPLIGHTER_WORKERS", "0", "LAMPLIGHTER_WORKERS is 0, which is less than 1"),
        ("LAMPLIGHTER_TORCHSERVE_CONFIG", "no separator", "'no separator' is not of the form key=value"),
        ("LAMPLIGHTER_TORCHSERVE_CONFIG", "number_of_gpu=1\\", "number_of_gpu must not end in a backslash"),
    ],
)
def test_a_wrong_setting_is_named(name: str, value: str, sentence: str):
    with pytest.raises(ConfigurationError) as error:
        settings(**{name: value})
    assert sentence in str(error.value)


@given(st.text())
def test_no_text_smuggles_in_a_setting_of_ours(text: str):
    try:
        chosen = settings(LAMPLIGHTER_TORCHSERVE_CONFIG=text)
    except ConfigurationError:
        return
    written = torchserve_config.properties(chosen, "1.0")
    # The last of two equal keys counts, and no line of the user's may swallow the next.
    assert written.endswith(torchserve_config.properties(settings(), "1.0").split("default_startup_timeout=300\n")[1])
    assert not any(line.endswith("\\") for line in written.splitlines())


def test_java_is_started_directly_with_the_users_options_after_ours(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(torchserve_config, "_package_home", lambda: Path("/opt/venv/site-packages"))
    chosen = settings(LAMPLIGHTER_TORCHSERVE_CONFIG="vmargs=-Xmx1g -Dname='a b'")
    command = torchserve_config.command(chosen, tmp_path, {"JAVA_HOME": "/opt/java"})
    assert command[0] == "/opt/java/bin/java"
    assert "-Xmx512m" in command
    assert command.index("-XX:+UseSerialGC") < command.index("-Xmx1g") < command.index("-Dname=a b")
    assert "-XX:ActiveProcessorCount=3" in command
    assert command[command.index("-s") + 1] == "/lamplighter/store"


def test_an_image_without_torchserve_is_recognised(tmp_path: Path):
    with pytest.raises(ConfigurationError, match="this image has no TorchServe"):
        torchserve_config.command(settings(), tmp_path, {})


@pytest.mark.parametrize(("processors", "threads"), [(8, "4"), (2, "1"), (1, "1")])
def test_workers_share_the_processors(processors: int, threads: str):
    assert torchserve_config.worker_environment(settings(processors), {})["OMP_NUM_THREADS"] == threads


def test_the_processors_that_the_pod_asks_for_count_where_it_may_use_all_of_the_nodes():
    chosen = settings(processors=96, LAMPLIGHTER_PROCESSORS="4")
    assert torchserve_config.worker_environment(chosen, {})["OMP_NUM_THREADS"] == "2"


def test_the_users_own_thread_count_stays():
    environ = torchserve_config.worker_environment(settings(), {"OMP_NUM_THREADS": "3"})
    assert environ["OMP_NUM_THREADS"] == "3"


@pytest.mark.parametrize(("processors", "workers", "threads"), [(1, "4", 2), (4, "1", 2), (4, "8", 4), (96, "4", 5)])
def test_the_frontend_has_as_many_threads_as_its_workers_can_keep_busy(processors: int, workers: str, threads: int):
    chosen = settings(processors, LAMPLIGHTER_WORKERS=workers)
    lines = torchserve_config.properties(chosen, "1.0").splitlines()
    assert f"number_of_netty_threads={threads}" in lines
    assert f"netty_client_threads={threads}" in lines


@pytest.mark.parametrize(("memory", "heap"), [(None, 512), (256 << 20, 96), (4 << 30, 512), (64 << 30, 1024)])
def test_the_heap_is_a_bounded_share_of_the_memory(memory: int | None, heap: int):
    assert settings(memory=memory).heap_mib == heap


def test_torchserve_gets_as_many_gpus_as_the_pod_and_the_user_may_say_otherwise():
    assert "number_of_gpu=2\n" in torchserve_config.properties(settings(LAMPLIGHTER_GPUS="2"), "1.0")
    chosen = settings(LAMPLIGHTER_GPUS="2", LAMPLIGHTER_TORCHSERVE_CONFIG="number_of_gpu=1")
    assert "number_of_gpu=1\n" in torchserve_config.properties(chosen, "1.0")


def test_the_management_apis_listen_on_the_loopback_only():
    written = dict(line.split("=", 1) for line in torchserve_config.properties(settings(), "1.0").splitlines())
    assert written["management_address"].startswith("http://127.0.0.1:")
    assert written["grpc_management_address"] == "127.0.0.1"


def test_the_model_configuration_is_json_for_the_archives_own_version():
    line = next(
        line for line in torchserve_config.properties(settings(), "2.1").splitlines() if line.startswith("models=")
    )
    assert list(json.loads(line.removeprefix("models="))["digits"]) == ["2.1"]
