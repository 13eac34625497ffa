"""What a notebook puts out, in a form that can be compared with what is stored in it.

Figures are left out. So is what says nothing and differs from run to run: addresses, temporary
folders, names that pandas makes up, a terminal's colours; and the scripts of widgets, which
test_outputs.py holds to their files.
"""

import atexit
import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from support import ROOT

# What is stored and what is put out now, cell by cell: the texts of each cell under its id
Outputs = dict[str, list[str]]

SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
FLAGS = SETTINGS["tool"]["nbdev"]["tst_flags"].split()

NUMBER = re.compile(r"[-+−]?\d+(?:,\d{3})*(?:\.\d+)?(?:e[-+]?\d+)?")
PAYLOAD = re.compile(r'data-plab="\w+"')  # a digest of all numbers that a widget holds
IDLE = [  # what says nothing -> what stands in its place
    (r"\x1b\[[0-9;]*m", ""),
    (r"(?is)<(script|style|svg)\b.*?</\1>", ""),
    (r"data:image/[^\"')]+", ""),
    (r"\b0x[0-9a-f]{6,}\b", "0x"),
    (r"\bT_[0-9a-f]{5}", "T_"),
    (r"(?<![\w/])(?:/private)?(?:/tmp|/var/folders/\w+/\w+/T)/[\w.-]+", "TEMPORARY"),
    (r"[ \t]+(?=\n|$)", ""),
]


# ---- running a notebook


@cache
def player(prefix: tuple[str, ...]) -> subprocess.Popen:
    "The process of this test worker that has loaded what notebooks load (support/player.py)"
    server = subprocess.Popen(
        [*prefix, sys.executable, "-m", "support.player"],
        cwd=ROOT / "tests",
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"},
    )
    atexit.register(server.kill)
    return server


def execute(path: Path, out: Path, prefix: Iterable[str] = ()) -> subprocess.CompletedProcess:
    "Run a notebook as nbdev-test does, and write it to `out` with what it has put out"
    server = player(tuple(prefix))
    said = out.with_suffix(".said")
    asked = {"source": path, "target": out, "said": said, "flags": FLAGS, "seconds": 600}
    assert server.stdin and server.stdout
    print(json.dumps(asked, default=str), file=server.stdin, flush=True)
    answer = server.stdout.readline()
    assert answer, f"the process that runs notebooks ended with {server.poll()}"
    status = int(answer)
    return subprocess.CompletedProcess([path], status, said.read_text(encoding="utf-8"), "")


# ---- what it has put out


def joined(text: str | list[str]) -> str:
    "A text that a notebook may store line by line"
    return text if isinstance(text, str) else "".join(text)


def cleaned(text: str) -> str:
    "A text without what says nothing"
    for pattern, instead in IDLE:
        text = re.sub(pattern, instead, text)
    return text.strip()


def said(cell: dict) -> list[str]:
    "What a code cell has printed, then what it has shown"
    printed = [
        joined(output["text"])
        for output in cell["outputs"]
        if output["output_type"] == "stream" and output["name"] == "stdout"
    ]
    shown = [_as_text(output["data"]) for output in cell["outputs"] if "data" in output]
    texts = ["".join(printed), *shown]
    return [cleaned(text) for text in texts if text]


def _as_text(data: dict) -> str:
    """One thing that was shown; a table as HTML where there is one, since plain text is broken to
    the width of a terminal
    """
    for kind in ("text/html", "text/markdown", "text/plain"):
        if kind in data:
            return joined(data[kind])
    return ""


def outputs(path: Path) -> Outputs:
    "What every code cell of a notebook has put out"
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return {cell["id"]: said(cell) for cell in cells if cell["cell_type"] == "code"}


def numbers(text: str) -> list[str]:
    "The numbers in a text, as they are written"
    return NUMBER.findall(PAYLOAD.sub("", text))


# ---- the comparison


def differences(stored: Outputs, now: Outputs) -> list[str]:
    "Every cell that does not put out what is stored"
    return [
        f"{cell}: {_first_difference(stored[cell], now[cell])}"
        for cell in stored
        if stored[cell] != now[cell]
    ]


def _first_difference(stored: list[str], now: list[str]) -> str:
    whole = ("\n".join(stored), "\n".join(now))
    differing = [pair for pair in zip(stored, now, strict=False) if pair[0] != pair[1]]
    before, after = differing[0] if differing else whole
    at = len(os.path.commonprefix([before, after]))
    place = slice(max(0, at - 40), at + 60)
    return f"stored ...{before[place]!r}, now ...{after[place]!r}"
