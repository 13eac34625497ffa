"""Every lesson runs from top to bottom, with no network."""
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LESSONS = sorted(ROOT.glob("nbs/lessons/*.ipynb"))
GUIDES = sorted(ROOT.glob("nbs/guides/*.ipynb"))


def without_network() -> list[str]:
    "A prefix that runs a command in a network namespace of its own, where this system allows it"
    prefix = ["unshare", "--net", "--map-root-user"]
    return prefix if shutil.which("unshare") and subprocess.run([*prefix, "true"], capture_output=True).returncode == 0 else []


def play(path: Path):
    "Run a notebook by nbdev-test"
    command = [*without_network(), str(Path(sys.executable).with_name("nbdev-test")), str(path), "--n-workers", "0"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, env=os.environ | {"HF_HUB_OFFLINE": "1"})
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]


def test_there_are_lessons(): assert len(LESSONS) >= 6


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_lesson_runs(path): play(path)


@pytest.mark.parametrize("path", GUIDES, ids=lambda path: path.stem)
def test_guide_runs(path): play(path)
