"""A machine that brings its own torch keeps it: what installing pseudolab would replace on Colab.

pip resolves for real, offline: the machine is an empty environment that claims to have the versions
of colab.txt, and the index is a folder of empty packages, in which everything has a newer version.
"""

import json
import os
import subprocess
import sys
import zipfile
from importlib.metadata import requires, version
from pathlib import Path

import pytest

from support.project import settings

HERE = Path(__file__).parent
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
NEWER = "999.0"


def frozen() -> dict[str, str]:
    "The versions that the machine has, by library"
    lines = (HERE / "colab.txt").read_text(encoding="utf-8").splitlines()
    pairs = [line.split("==", 1) for line in lines if line and not line.startswith("#")]
    return dict(pairs)


def about(name: str, at: str, needs: list[str]) -> str:
    "What a package says of itself"
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {at}"]
    return "\n".join([*lines, *(f"Requires-Dist: {one}" for one in needs)]) + "\n"


def write_wheel(folder: Path, name: str, at: str, needs: list[str]) -> None:
    "An empty package for the index"
    stem = f"{name.replace('-', '_')}-{at}"
    tags = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    with zipfile.ZipFile(folder / f"{stem}-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{stem}.dist-info/METADATA", about(name, at, needs))
        wheel.writestr(f"{stem}.dist-info/WHEEL", tags)
        wheel.writestr(f"{stem}.dist-info/RECORD", "")


def write_machine(folder: Path, has: dict[str, str]) -> Path:
    "An environment that claims to have these versions; returns its Python"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    place = folder / "lib" / f"python{PYTHON}" / "site-packages"
    for name, at in has.items():
        info = place / f"{name.replace('-', '_')}-{at}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(about(name, at, []))
        (info / "RECORD").write_text("")
        (info / "INSTALLER").write_text("pip\n")
    return folder / "bin" / "python"


def would_install(tmp_path: Path, has: dict[str, str], needs: list[str]) -> dict[str, str]:
    "What `pip install pseudolab` would put on a machine, by library"
    index = tmp_path / "index"
    index.mkdir()
    write_wheel(index, "pseudolab", "0.1", needs)
    lacking = {"open_clip_torch": requires("open_clip_torch") or []}
    for name, its in lacking.items():
        write_wheel(index, name, version(name), [one for one in its if "extra" not in one])
    for name in has:
        write_wheel(index, name, NEWER, [])
    python = write_machine(tmp_path / "machine", has)
    ours = ("PIP_", "PYTHONPATH")
    clean = {key: value for key, value in os.environ.items() if not key.startswith(ours)}
    command = [sys.executable, "-m", "pip", "--python", str(python), "install", "--dry-run"]
    options = ["--quiet", "--no-index", "--find-links", str(index)]
    report = tmp_path / "report.json"
    done = subprocess.run(
        [*command, *options, "--report", str(report), "pseudolab"],
        env=clean | {"PIP_CONFIG_FILE": os.devnull, "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(report.read_text(encoding="utf-8"))["install"]
    return {one["metadata"]["name"]: one["metadata"]["version"] for one in found}


@pytest.fixture
def needs() -> list[str]:
    return settings()["project"]["dependencies"]


KEPT = {"torch", "torchvision", "numpy", "pandas", "ipywidgets"}  # what a kernel has loaded


def test_what_colab_has_loaded_is_not_replaced(tmp_path, needs):
    installed = would_install(tmp_path, frozen(), needs)
    assert {"pseudolab", "open_clip_torch"} <= installed.keys()
    assert not KEPT & installed.keys()
    # a small library of folders' names, which no kernel holds
    assert installed.keys() - {"pseudolab", "open_clip_torch"} <= {"platformdirs"}


def test_a_bound_that_is_too_high_would_be_seen(tmp_path, needs):
    raised = [one.replace("ipywidgets>=7.7", "ipywidgets>=8") for one in needs]
    assert raised != needs
    assert would_install(tmp_path, frozen(), raised)["ipywidgets"] == NEWER


def test_the_list_has_every_library_that_we_declare(needs):
    declared = {one.split(">=")[0] for one in needs}
    assert declared - frozen().keys() == {"open_clip_torch"}
