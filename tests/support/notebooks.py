"""Reading and running the project's notebooks."""

import json
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

from support import NBS
from support.outputs import differences, execute, outputs


def notebooks(folder: str = "") -> list[Path]:
    "Every notebook in a folder of nbs/ and in the folders inside it, in order of their paths"
    found = (NBS / folder).rglob("*.ipynb")
    return sorted(path for path in found if not _hidden(path))


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(NBS).parts)


def short_name(path: Path) -> str:
    "A notebook's path inside nbs/ without its ending, to name a test by"
    return path.relative_to(NBS).with_suffix("").as_posix()


def read_cells(path: Path, kind: str = "") -> list[dict]:
    "The cells of a notebook, of one kind or of all, each with its source as one text"
    found = json.loads(path.read_text(encoding="utf-8"))["cells"]
    wanted = [cell for cell in found if kind in ("", cell["cell_type"])]
    return [{**cell, "source": "".join(cell["source"])} for cell in wanted]


def sources(path: Path, kind: str) -> list[str]:
    "The sources of a notebook's cells of one kind"
    return [cell["source"] for cell in read_cells(path, kind)]


def exports(source: str) -> bool:
    "Whether a cell of code goes into a module"
    return re.search(r"^#\| *exporti?s?\b", source, re.M) is not None


def only_python(source: str) -> str:
    "The code of a cell without directives and without lines for the notebook alone"
    kept = [line for line in source.splitlines() if not re.match(r"#\||\s*[%!]", line)]
    return "\n".join(kept)


@cache
def without_network() -> tuple[str, ...]:
    "A prefix that runs a command in a network namespace of its own, where this system allows it"
    prefix = ("unshare", "--net", "--map-root-user")
    if not shutil.which("unshare"):
        return ()
    tried = subprocess.run([*prefix, "true"], capture_output=True)
    return prefix if tried.returncode == 0 else ()


def play(path: Path, folder: Path, alone: bool = False) -> None:
    """Run a notebook as nbdev-test does, and lay what it puts out beside what is stored.

    `alone`: in an empty folder, where it may leave nothing behind.
    """
    source = path
    if alone:
        source = folder / "alone" / path.name
        source.parent.mkdir()
        shutil.copy(path, source)
    done = execute(source, folder / path.name, without_network())
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    wrong = differences(outputs(path), outputs(folder / path.name))
    assert not wrong, "\n".join(wrong)
    if alone:
        assert [path.name for path in source.parent.iterdir()] == [path.name]
