"""Every lesson runs from top to bottom, with no network, and puts out what is stored in it
(outputs.py says how exactly).
"""

import shutil
import subprocess
from pathlib import Path

import pytest
from outputs import differences, exact, execute, gone_stale, outputs

ROOT = Path(__file__).parents[2]
LESSONS = sorted(ROOT.glob("nbs/lessons/*.ipynb"))
GUIDES = sorted(ROOT.glob("nbs/guides/*.ipynb"))


def without_network() -> list[str]:
    "A prefix that runs a command in a network namespace of its own, where this system allows it"
    prefix = ["unshare", "--net", "--map-root-user"]
    return (
        prefix
        if shutil.which("unshare")
        and subprocess.run([*prefix, "true"], capture_output=True).returncode == 0
        else []
    )


def play(path: Path, folder: Path):
    "Run a notebook as nbdev-test does, and lay what it puts out beside what is stored"
    done = execute(path, folder / path.name, without_network())
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    wrong = (differences if exact() else gone_stale)(outputs(path), outputs(folder / path.name))
    assert not wrong, "\n".join(wrong)


def test_there_are_lessons():
    assert len(LESSONS) >= 6


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_lesson_runs(path, tmp_path):
    play(path, tmp_path)


@pytest.mark.parametrize("path", GUIDES, ids=lambda path: path.stem)
def test_guide_runs(path, tmp_path):
    play(path, tmp_path)
