"""TorchServe 0.12: its settings and its command line. What it answers while it runs is in torchserve_api.py."""

import importlib.util
import json
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lamplighter_runtime.common.environment import ConfigurationError, integer, required

INFERENCE_PORT = 8080
MANAGEMENT_PORT = 8081
METRICS_PORT = 8082
GRPC_PORT = 7070
GRPC_MANAGEMENT_PORT = 7071
_MIB = 1 << 20

# torchserve_log.py depends on this: the level shows failed loads, the patterns tell a handler's lines from the
# server's, and the thread's name tells which worker a line is about.
LOGGING = """<?xml version="1.0" encoding="UTF-8"?>
<Configuration>
  <Appenders>
    <Console name="server" target="SYSTEM_OUT"><PatternLayout pattern="%d{ISO8601} [%-5p] [%t] %c{1} - %m%n"/></Console>
    <Console name="model" target="SYSTEM_OUT"><PatternLayout pattern="[%t] %m%n"/></Console>
    <Console name="access" target="SYSTEM_OUT"><PatternLayout pattern="[access] %m%n"/></Console>
  </Appenders>
  <Loggers>
    <Logger name="MODEL_LOG" level="info" additivity="false"><AppenderRef ref="model"/></Logger>
    <Logger name="ACCESS_LOG" level="info" additivity="false"><AppenderRef ref="access"/></Logger>
    <Logger name="MODEL_METRICS" level="off"/>
    <Logger name="TS_METRICS" level="off"/>
    <Logger name="io.netty" level="error"/>
    <Root level="${env:LAMPLIGHTER_TORCHSERVE_LOG_LEVEL:-warn}"><AppenderRef ref="server"/></Root>
  </Loggers>
</Configuration>
"""


@dataclass(frozen=True)
class Settings:
    """How one model is served; the suffix of a time is its unit."""

    model: str
    store: Path
    workers: int
    batch_size: int
    max_batch_delay_ms: int
    job_queue_size: int
    response_timeout_s: int
    warmup: int  # predictions of the example that each worker makes before the pod is ready
    processors: int
    gpus: int
    memory: int | None  # bytes that the container may use; None without a limit
    extra: tuple[tuple[str, str], ...]

    @property
    def archive(self) -> Path:
        """Where lamplighter-fetch has put the model."""
        return self.store / f"{self.model}.mar"

    @property
    def frontend_threads(self) -> int:
        """Threads of the frontend, which only relays what the workers compute and must not crowd them out."""
        return max(2, min(self.processors, self.workers + 1))

    @property
    def heap_mib(self) -> int:
        """The maximum Java heap: an eighth of the memory, as the workers need most of it."""
        share = 512 if self.memory is None else self.memory // 8 // _MIB
        return min(max(share, 96), 1024)


def settings(environ: Mapping[str, str], processors: int = 1, memory: int | None = None) -> Settings:
    """Read the operator's variables; ConfigurationError names the one that is wrong.

    `processors` and `memory` (bytes) are what the container sees. It does not see its CPU request, so the operator
    passes the number of processors to use.
    """
    return Settings(
        model=required(environ, "LAMPLIGHTER_MODEL_NAME"),
        store=Path(required(environ, "LAMPLIGHTER_MODEL_STORE")),
        workers=integer(environ, "LAMPLIGHTER_WORKERS", 1, minimum=1),
        warmup=integer(environ, "LAMPLIGHTER_WARMUP", 1),
        processors=min(processors, integer(environ, "LAMPLIGHTER_PROCESSORS", processors, minimum=1)),
        gpus=integer(environ, "LAMPLIGHTER_GPUS", 0),
        memory=memory,
        batch_size=integer(environ, "LAMPLIGHTER_BATCH_SIZE", 1, minimum=1),
        max_batch_delay_ms=integer(environ, "LAMPLIGHTER_MAX_BATCH_DELAY_MS", 50),
        job_queue_size=integer(environ, "LAMPLIGHTER_JOB_QUEUE_SIZE", 100, minimum=1),
        response_timeout_s=integer(environ, "LAMPLIGHTER_RESPONSE_TIMEOUT_S", 60, minimum=1),
        extra=extra_lines(environ.get("LAMPLIGHTER_TORCHSERVE_CONFIG", "")),
    )


def _own(chosen: Settings, version: str) -> dict[str, str]:
    model = {
        "defaultVersion": True,
        "marName": chosen.archive.name,
        "minWorkers": chosen.workers,
        "maxWorkers": chosen.workers,
        "batchSize": chosen.batch_size,
        "maxBatchDelay": chosen.max_batch_delay_ms,
        "responseTimeout": chosen.response_timeout_s,
    }
    return {
        "inference_address": f"http://0.0.0.0:{INFERENCE_PORT}",
        # Through the management API anyone can load any code, so it listens on the loopback only.
        "management_address": f"http://127.0.0.1:{MANAGEMENT_PORT}",
        "metrics_address": f"http://0.0.0.0:{METRICS_PORT}",
        "grpc_inference_address": "0.0.0.0",  # noqa: S104 - clients come from other pods
        "grpc_inference_port": str(GRPC_PORT),
        "grpc_management_address": "127.0.0.1",
        "grpc_management_port": str(GRPC_MANAGEMENT_PORT),
        "model_store": str(chosen.store),
        "load_models": f"{chosen.model}={chosen.archive.name}",
        "models": json.dumps({chosen.model: {version: model}}),
        # TorchServe's default is the JVM's processor count.
        "default_workers_per_model": str(chosen.workers),
        "default_response_timeout": str(chosen.response_timeout_s),
        "job_queue_size": str(chosen.job_queue_size),
        # A NetworkPolicy decides who may reach the ports; with tokens enabled, even /ping needs one.
        "disable_token_authorization": "true",
        "enable_model_api": "false",
        "allowed_urls": f"file://{chosen.store}/.*",
        "install_py_dep_per_model": "false",
        "enable_envvars_config": "false",
        "metrics_mode": "prometheus",
    }


def _defaults(chosen: Settings) -> dict[str, str]:
    """Settings that the user may override; all our other settings are fixed."""
    threads = str(chosen.frontend_threads)
    return {
        # By default TorchServe takes every GPU that it sees, and twice as many threads as the JVM sees processors.
        "number_of_gpu": str(chosen.gpus),
        "number_of_netty_threads": threads,
        "netty_client_threads": threads,
        # They would start a Python process every minute, and report the node's figures, not the pod's.
        "disable_system_metrics": "true",
        "default_startup_timeout": "300",
    }


OWNED = frozenset(_own(Settings("m", Path("/"), 1, 1, 1, 1, 1, 1, 1, 0, None, ()), "1.0"))


def extra_lines(text: str) -> tuple[tuple[str, str], ...]:
    """Parse the user's lines for config.properties; ConfigurationError for a line that is not allowed."""
    pairs = []
    for line in text.splitlines():
        stripped = line.strip()
        if not stripped or stripped[0] in "#!":
            continue
        key, separator, value = (part.strip() for part in stripped.partition("="))
        if not separator or not key:
            raise ConfigurationError(f"spec.runtime.config: {stripped!r} is not of the form key=value")
        if key in OWNED:
            raise ConfigurationError(f"spec.runtime.config: {key} is set by Lamplighter; remove it")
        if stripped.endswith("\\"):
            raise ConfigurationError(f"spec.runtime.config: {key} must not end in a backslash")
        pairs.append((key, value))
    return tuple(pairs)


def properties(chosen: Settings, version: str) -> str:
    """Return config.properties; a fixed setting of ours overrides the user's."""
    users = {key: value for key, value in chosen.extra if key != "vmargs"}
    lines = {**_defaults(chosen), **users, **_own(chosen, version)}
    return "".join(f"{key}={value}\n" for key, value in lines.items())


def command(chosen: Settings, scratch: Path, environ: Mapping[str, str]) -> list[str]:
    """Return the command that runs the frontend; `scratch` holds config.properties and log4j2.xml (see prepare).

    Java is started directly: TorchServe's Python launcher passes no signals on.
    """
    java_home = environ.get("JAVA_HOME")
    home = _package_home()
    # Measured on 2 cores: with the quick compiler alone, the frontend starts sooner, answers as many requests a second
    # and takes 100 MB less. gRPC's Netty sizes itself by the processors that it sees, which without a CPU limit are all
    # of the node's. By default the heap and the direct buffers may each take up to a quarter of the memory.
    virtual_machine = [
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        "-Xms32m",
        f"-Xmx{chosen.heap_mib}m",
        f"-XX:MaxDirectMemorySize={chosen.heap_mib}m",
        f"-XX:ActiveProcessorCount={chosen.frontend_threads}",
    ]
    for key, value in chosen.extra:
        virtual_machine += shlex.split(value) if key == "vmargs" else []
    return [
        f"{java_home}/bin/java" if java_home else "java",
        *virtual_machine,
        f"-Dmodel_server_home={home}",
        f"-Djava.io.tmpdir={scratch}",
        f"-Dlog4j.configurationFile=file://{scratch}/log4j2.xml",
        "-cp",
        f"{home}/ts/frontend/*",
        "org.pytorch.serve.ModelServer",
        "--python",
        sys.executable,
        "-f",
        f"{scratch}/config.properties",
        "-s",
        str(chosen.store),
        "-ncs",
    ]


def prepare(chosen: Settings, version: str, scratch: Path) -> None:
    """Write into `scratch` the files that the command reads; `version` is the one in the archive's manifest."""
    scratch.mkdir(parents=True, exist_ok=True)
    (scratch / "config.properties").write_text(properties(chosen, version), encoding="utf-8")
    (scratch / "log4j2.xml").write_text(LOGGING, encoding="utf-8")


def worker_environment(chosen: Settings, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of TorchServe and its workers, among which the processors are divided.

    torch and the libraries beneath it (OpenMP, MKL, OpenBLAS) take their number of threads from OMP_NUM_THREADS.
    """
    threads = str(max(1, chosen.processors // chosen.workers))
    return {"OMP_NUM_THREADS": threads, **environ}


def _package_home() -> Path:
    found = importlib.util.find_spec("ts")
    if found is None or found.origin is None:
        raise ConfigurationError("this image has no TorchServe: use an image built from training_images/torchserve")
    return Path(found.origin).parent.parent
