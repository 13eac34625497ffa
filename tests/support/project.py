"""The project's files: what belongs to the tree, and a copy of it to write to."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

from support import ROOT

NOT_COPIED = shutil.ignore_patterns(
    ".git",
    "docs",
    "build",
    "dist",
    "*.egg-info",
    "__pycache__",
    ".ipynb_checkpoints",
    ".pytest_cache",
    ".ruff_cache",
    ".import_linter_cache",
    ".hypothesis",
    ".venv",
    "venv",
    "runs",
)


def name(path: Path) -> str:
    "A file by its path inside the project"
    return path.relative_to(ROOT).as_posix()


def settings() -> dict[str, Any]:
    "What pyproject.toml says"
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def copy_of_the_tree(folder: Path) -> Path:
    "A copy of the working tree without what is built from it"
    return Path(shutil.copytree(ROOT, folder, ignore=NOT_COPIED))


def run_python(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    "Run this Python in a copy of the project; the package is imported from there"
    environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )


def files_of_the_tree() -> list[Path] | None:
    "What git tracks or would track; None outside a git checkout"
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if listed.returncode:
        return None
    paths = [ROOT / path for path in listed.stdout.split("\0") if path]
    return sorted(path for path in paths if path.is_file())
