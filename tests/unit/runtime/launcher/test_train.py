"""The launcher as a real process, with a stand-in for torchrun that writes what the real one writes."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.tools import ROOT

RUNTIME = ROOT / "training_images" / "runtime"
# Runs the script in a child, as torchrun does, and tells of its failure in torchrun's words.
TORCHRUN = """
import os, signal, subprocess, sys
child = subprocess.Popen([sys.executable, *sys.argv[1:]], env={**os.environ, "RANK": "0"}, start_new_session=True)
signal.signal(signal.SIGTERM, lambda *_: child.terminate())
code = child.wait()
if code:
    print(f"E1121 11:00:00.000000 7 /opt/torch/distributed/elastic/multiprocessing/api.py:1002] "
          f"failed (exitcode: {code}) local_rank: 0 (pid: 8) of binary: python", file=sys.stderr)
    print("Traceback (most recent call last):\\n  File x\\nChildFailedError: ", file=sys.stderr)
    sys.exit(1)
"""


class Launcher:
    def __init__(self, folder: Path) -> None:
        package = folder / "fake" / "torch" / "distributed"
        package.mkdir(parents=True)
        (package / "__init__.py").touch()
        (package.parent / "__init__.py").touch()
        (package / "run.py").write_text(TORCHRUN)
        self.folder, self.log = folder, folder / "termination-log"
        self.environ = {
            **{key: value for key, value in os.environ.items() if not key.startswith("PET_")},
            "PYTHONPATH": f"{RUNTIME}{os.pathsep}{folder / 'fake'}",
            "LAMPLIGHTER_TERMINATION_LOG": str(self.log),
        }

    def start(self, script: str, **environ: str) -> "subprocess.Popen[str]":
        (self.folder / "train.py").write_text(script)
        program = "import sys; from lamplighter_runtime.launcher.train import main; sys.exit(main())"
        return subprocess.Popen(
            [sys.executable, "-c", program, "train.py", "--epochs", "8"],
            cwd=self.folder,
            env={**self.environ, **environ},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def said(self) -> dict:
        return json.loads(self.log.read_text())


@pytest.fixture
def launcher(tmp_path: Path) -> Launcher:
    return Launcher(tmp_path)


def test_success_is_reported_and_the_arguments_arrive(launcher: Launcher):
    process = launcher.start("import sys; print(sys.argv[1:])")
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert out == "['--epochs', '8']\n"
    assert launcher.said() == {"reason": "Succeeded"}


def test_output_passes_through_unchanged(launcher: Launcher):
    process = launcher.start("import sys; sys.stderr.write('50%\\r100%\\r'); sys.stderr.write('done')")
    _, err = process.communicate(timeout=30)
    assert "50%" in err
    assert err.endswith("done")


def test_a_collective_that_never_ended_is_a_hang(launcher: Launcher):
    said = "[Rank 0] Watchdog caught collective operation timeout: WorkNCCL(SeqNum=7) ran for 600029 milliseconds"
    process = launcher.start(
        f"import os, sys; sys.stderr.write('[rank0]:[E] {said}\\n'); sys.stderr.flush(); os.abort()"
    )
    process.communicate(timeout=30)
    assert process.returncode == 75
    assert (launcher.said()["reason"], launcher.said()["message"]) == ("Hang", said)


def test_an_exception_of_the_script_becomes_the_message(launcher: Launcher):
    process = launcher.start("raise ValueError('boom ü')")
    _, err = process.communicate(timeout=30)
    assert process.returncode == 1
    said = launcher.said()
    assert (said["reason"], said["exitCode"], said["message"]) == ("UserError", 1, "ValueError: boom ü")
    assert said["tail"][-1] == "ValueError: boom ü"
    assert err.splitlines()[-1] == "lamplighter-train: UserError (exit code 1): ValueError: boom ü"


def test_the_scripts_own_exit_code_and_last_words_count(launcher: Launcher):
    process = launcher.start("import sys; sys.exit('no data in /data')")
    process.communicate(timeout=30)
    assert launcher.said()["message"] == "no data in /data"
    process = launcher.start("import sys; sys.exit(42)")
    process.communicate(timeout=30)
    assert process.returncode == 42
    assert launcher.said()["message"] == "the script exited with code 42 and wrote nothing to standard error"


def test_a_killed_rank_gives_128_plus_the_signal(launcher: Launcher):
    process = launcher.start("import os; os.kill(os.getpid(), 9)")
    process.communicate(timeout=30)
    assert process.returncode == 137
    assert launcher.said()["message"] == "a rank was terminated by SIGKILL"


def test_a_stop_signal_reaches_the_script(launcher: Launcher):
    script = "import signal, sys, time\n"
    script += "signal.signal(signal.SIGTERM, lambda *_: (print('saved', flush=True), sys.exit(1)))\n"
    script += "print('started', flush=True)\ntime.sleep(60)"
    process = launcher.start(script)
    assert process.stdout is not None
    assert process.stdout.readline() == "started\n"
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=30)
    assert out == "saved\n"
    assert process.returncode == 143
    assert launcher.said() == {"reason": "Terminated", "exitCode": 143, "message": "stopped by SIGTERM"}


def test_a_stopped_training_has_not_finished_though_the_script_exits_with_0(launcher: Launcher):
    script = "import signal, sys, time\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(0))\n"
    process = launcher.start(script + "print('started', flush=True)\ntime.sleep(60)")
    assert process.stdout is not None
    assert process.stdout.readline() == "started\n"
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert process.returncode == 143
    assert launcher.said()["reason"] == "Terminated"


def test_a_script_that_does_not_end_within_its_grace_is_killed(launcher: Launcher):
    script = "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    process = launcher.start(script + "print('started', flush=True)\ntime.sleep(60)", LAMPLIGHTER_GRACE_S="4")
    assert process.stdout is not None
    assert process.stdout.readline() == "started\n"
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 143
    assert "did not end within its grace period of 4 s" in err


def test_the_last_metrics_go_into_the_message(launcher: Launcher):
    script = "print('step=7 total=9 loss=0.25', flush=True)"
    process = launcher.start(script, LAMPLIGHTER_METRICS_FROM_OUTPUT="1")
    process.communicate(timeout=30)
    assert launcher.said() == {"reason": "Succeeded", "step": 7, "total": 9, "metrics": {"loss": 0.25}}


def test_a_rank_that_falls_silent_is_ended(launcher: Launcher):
    script = "import time\nprint('step=3', flush=True)\ntime.sleep(60)"
    options = {"LAMPLIGHTER_METRICS_FROM_OUTPUT": "1", "LAMPLIGHTER_HANG_TIMEOUT_S": "1"}
    process = launcher.start(script, **options)
    process.communicate(timeout=30)
    assert process.returncode == 75
    said = launcher.said()
    assert (said["reason"], said["rank"], said["step"]) == ("Hang", 0, 3)
    assert "no sign of life from rank 0" in said["message"]
    assert "after step 3" in said["message"]


def test_before_its_first_sign_of_life_a_rank_may_take_its_time(launcher: Launcher):
    process = launcher.start("import time; time.sleep(3)", LAMPLIGHTER_HANG_TIMEOUT_S="1")
    process.communicate(timeout=30)
    assert process.returncode == 0


def test_a_master_that_never_resolves_is_named(launcher: Launcher):
    process = launcher.start("", PET_NNODES="2", PET_MASTER_ADDR="digits-1-1-0.invalid", LAMPLIGHTER_DNS_TIMEOUT_S="0")
    process.communicate(timeout=30)
    assert process.returncode == 69
    assert launcher.said()["reason"] == "MasterUnreachable"
    assert "digits-1-1-0.invalid" in launcher.said()["message"]


def test_a_stop_signal_ends_the_wait_for_the_master(launcher: Launcher):
    process = launcher.start("", PET_NNODES="2", PET_MASTER_ADDR="digits-1-1-0.invalid")
    # The handler is in place once Python is up; before that SIGTERM would end the process with -15.
    deadline = time.monotonic() + 20
    while not catches_sigterm(process.pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert process.returncode == 143


def catches_sigterm(pid: int) -> bool:
    fields = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return bool(int(fields["SigCgt"], 16) >> (signal.SIGTERM - 1) & 1)
