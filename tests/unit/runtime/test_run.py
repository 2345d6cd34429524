"""The library on a laptop: one process, no launcher, no torch."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.tools import ROOT

RUNTIME = ROOT / "training_images" / "runtime"


def script(folder: Path, text: str, **environ: str) -> subprocess.CompletedProcess[str]:
    clean = {
        name: value for name, value in os.environ.items() if not name.startswith(("LAMPLIGHTER_", "RANK", "WORLD"))
    }
    return subprocess.run(
        [sys.executable, "-c", "from lamplighter_runtime import run\n" + text],
        cwd=folder,
        env={**clean, "PYTHONPATH": str(RUNTIME), **environ},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_a_report_is_a_printed_line(tmp_path: Path):
    done = script(tmp_path, "run.report(3, 10, samples=4, loss=0.123456789)\nrun.report()\nrun.report(accuracy=1)")
    assert done.stdout.splitlines()[0] == "step 3/10  loss 0.123457"
    assert done.returncode == 0


def test_one_line_a_second_is_printed_and_the_last(tmp_path: Path):
    done = script(tmp_path, "for step in range(1, 101): run.report(step, 100)")
    assert done.stdout == "step 1/100\nstep 100/100\n"


def test_what_is_not_a_metric_is_ignored_and_reported_once(tmp_path: Path):
    text = "for step in range(3): run.report(step, name='resnet', **{'bad name': 1.0, 'val/acc': 0.5})"
    done = script(tmp_path, text)
    assert done.stdout == "step 0  val/acc 0.5\n"
    assert done.stderr.count("'name'") == done.stderr.count("'bad name'") == 1


def test_checkpoints_are_kept_in_the_working_directory_and_found_again(tmp_path: Path):
    text = "print(run.resume_step(), run.resume())\n"
    text += "for step in range(1, 6):\n  with run.checkpoint(step) as folder: (folder / 'state').write_text(str(step))"
    assert script(tmp_path, text).stdout == "0 None\n"
    assert sorted(path.name[-1] for path in (tmp_path / "checkpoints").iterdir()) == ["3", "4", "5"]
    again = script(tmp_path, "print((run.resume() / 'state').read_text(), run.resume_step())")
    assert again.stdout == "5 5\n"
    assert "remove it to start from scratch" in again.stderr


def test_an_error_while_saving_commits_nothing(tmp_path: Path):
    done = script(tmp_path, "with run.checkpoint(1) as folder: raise OSError('disk full')")
    assert "OSError: disk full" in done.stderr
    assert script(tmp_path, "print(run.resume())").stdout == "None\n"


def test_a_checkpoint_is_due_after_its_time(tmp_path: Path):
    text = "import time\nfirst = run.checkpoint_due(); time.sleep(0.6); second = run.checkpoint_due()\n"
    text += "with run.checkpoint(1): pass\nprint(first, second, run.checkpoint_due())"
    done = script(tmp_path, text, LAMPLIGHTER_CHECKPOINT_EVERY_S="0.5")
    assert done.stdout == "False True False\n"


def test_a_stop_signal_is_noticed_from_the_first_question_on(tmp_path: Path):
    text = "import os, signal\nprint(run.should_stop())\nos.kill(os.getpid(), signal.SIGTERM)\nprint(run.should_stop())"
    assert script(tmp_path, text).stdout == "False\nTrue\n"
    text = "import os, signal\nrun.report(1)\nos.kill(os.getpid(), signal.SIGTERM)"
    assert script(tmp_path, text).returncode == -15


def test_the_scripts_own_handler_is_called_as_well(tmp_path: Path):
    text = "import os, signal\nsignal.signal(signal.SIGTERM, lambda *_: print('mine'))\nrun.should_stop()\n"
    assert (
        script(tmp_path, text + "os.kill(os.getpid(), signal.SIGTERM)\nprint(run.should_stop())").stdout
        == "mine\nTrue\n"
    )


def test_the_place_in_the_group_is_what_torchrun_says(tmp_path: Path):
    text = "print(run.rank(), run.world_size(), run.local_rank(), run.attempt(), run.backend())"
    assert script(tmp_path, text).stdout == "0 1 0 1 gloo\n"
    environ = {
        "RANK": "3",
        "WORLD_SIZE": "4",
        "LOCAL_RANK": "1",
        "LAMPLIGHTER_ATTEMPT": "2",
        "LAMPLIGHTER_BACKEND": "nccl",
    }
    assert script(tmp_path, text, **environ).stdout == "3 4 1 2 nccl\n"


def test_a_launcher_that_is_gone_harms_nothing(tmp_path: Path):
    text = "run.report(1, loss=2)\nrun.should_stop()\nwith run.checkpoint(1) as folder: (folder / 'state').touch()"
    done = script(tmp_path, text, LAMPLIGHTER_EVENTS=str(tmp_path / "nobody"))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_looking_at_the_rank_starts_nothing(tmp_path: Path):
    text = "import sys, threading, json\nrun.rank()\nprint(json.dumps([run._state is None, 'torch' in sys.modules]))"
    assert json.loads(script(tmp_path, text).stdout) == [True, False]


@pytest.mark.parametrize("name", ["report", "checkpoint", "resume", "checkpoint_due", "should_stop"])
def test_every_function_says_what_it_does(name: str):
    from lamplighter_runtime import run

    assert len(getattr(run, name).__doc__.splitlines()[0]) > 30
