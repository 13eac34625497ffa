"""What a notebook puts out, in a form that can be compared with what is stored in it.

Figures are left out. So is what says nothing and differs from time to time: addresses, temporary
folders, names that pandas makes up, a terminal's colours; and the scripts of widgets, which
test_outputs.py holds to their files.

Numbers that were trained do not survive a change of processor: ten rounds of learning from oneself
amplify rounding. Lesson 00 run with AVX2 instead of AVX-512 has eight of its fourteen outputs
changed, one number by 19 points, and 73 % of its numbers and all of its words the same. Hence two
comparisons:

- PSEUDOLAB_EXACT=1, for the kind of machine on which the outputs were stored (one thread): nothing
may differ, not a digit. - else: every cell puts out as many things as are stored, three cells of
four (all but one) in the same words, and half of the notebook's numbers (all but ten) are the same
to the last digit. That sees a page that was forgotten, not a digit.
"""

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FLAGS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["nbdev"][
    "tst_flags"
].split()
# where the processor may be another: shares that must be the same, and how many numbers may differ
# in any case
WORDS, NUMBERS, FEW = 0.75, 0.5, 10
NUMBER = re.compile(r"[-+−]?\d+(?:,\d{3})*(?:\.\d+)?(?:e[-+]?\d+)?")
IDLE = [
    (re.compile(pattern), instead)
    for pattern, instead in [
        (r"\x1b\[[0-9;]*m", ""),
        (r"(?is)<(script|style|svg)\b.*?</\1>", ""),
        (r"data:image/[^\"')]+", ""),
        (r"\b0x[0-9a-f]{6,}\b", "0x"),
        (r"\bT_[0-9a-f]{5}", "T_"),
        (r"(?<![\w/])(?:/private)?(?:/tmp|/var/folders/\w+/\w+/T)/[\w.-]+", "TEMPORARY"),
        (r"[ \t]+(?=\n|$)", ""),
    ]
]
PAYLOAD = re.compile(r'data-plab="\w+"')  # a digest of all numbers that a widget holds
PLAY = """import sys
import nbdev.test
write = nbdev.test.write_nb
nbdev.test.write_nb = lambda notebook, _: write(notebook, sys.argv[2])
passed, _ = nbdev.test.test_nb(sys.argv[1], skip_flags=sys.argv[4:], basepath=sys.argv[3], save=True)
sys.exit(not passed)"""


def exact() -> bool:
    return os.environ.get("PSEUDOLAB_EXACT", "0") not in ("", "0")


def execute(path: Path, out: Path, prefix: list[str] = ()) -> subprocess.CompletedProcess:
    "Run a notebook as nbdev-test does, and write it to `out` with what it has put out"
    return subprocess.run(
        [*prefix, sys.executable, "-c", PLAY, path, out, ROOT, *FLAGS],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
        env=os.environ | {"HF_HUB_OFFLINE": "1"},
    )


def joined(text: str | list[str]) -> str:
    return text if isinstance(text, str) else "".join(text)


def cleaned(text: str) -> str:
    for pattern, instead in IDLE:
        text = pattern.sub(instead, text)
    return text.strip()


def said(cell: dict) -> list[str]:
    """What a code cell has printed, then what it has shown. A table as HTML where there is one: in
    plain text it is broken to the width of a terminal
    """
    printed = "".join(
        joined(output["text"])
        for output in cell["outputs"]
        if output["output_type"] == "stream" and output["name"] == "stdout"
    )
    shown = [
        {kind: joined(text) for kind, text in output["data"].items() if kind.startswith("text/")}
        for output in cell["outputs"]
        if "data" in output
    ]
    kinds = [
        next((kind for kind in ("text/html", "text/markdown", "text/plain") if kind in one), None)
        for one in shown
    ]
    return [
        cleaned(text)
        for text in [printed, *(one[kind] for one, kind in zip(shown, kinds) if kind)]
        if text
    ]


def outputs(path: Path) -> dict[str, list[str]]:  # id of a code cell -> what it has put out
    return {
        cell["id"]: said(cell)
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]
        if cell["cell_type"] == "code"
    }


# a rule of a table is as long as its numbers
def words(text: str) -> str:
    return " ".join(re.sub(r"[-─═ ]{2,}", " ", NUMBER.sub("#", PAYLOAD.sub("", text))).split())


def numbers(text: str) -> list[str]:
    return NUMBER.findall(PAYLOAD.sub("", text))


def first_difference(stored: list[str], now: list[str]) -> str:
    a, b = next(
        ((a, b) for a, b in zip(stored, now) if a != b), ("\n".join(stored), "\n".join(now))
    )
    at = len(os.path.commonprefix([a, b]))
    return f"stored ...{a[max(0, at - 40) : at + 60]!r}, now ...{b[max(0, at - 40) : at + 60]!r}"


def differences(stored: dict[str, list[str]], now: dict[str, list[str]]) -> list[str]:
    "Every cell that does not put out what is stored"
    return [
        f"{cell}: {first_difference(stored[cell], now[cell])}"
        for cell in stored
        if stored[cell] != now[cell]
    ]


def gone_stale(stored: dict[str, list[str]], now: dict[str, list[str]]) -> list[str]:
    "What differs by more than another processor can explain"
    uneven = [
        f"{cell} has {len(stored[cell])} outputs stored, and puts out {len(now[cell])}"
        for cell in stored
        if len(stored[cell]) != len(now[cell])
    ]
    if uneven:
        return uneven
    spoken = [
        ([words(text) for text in stored[cell]], [words(text) for text in now[cell]])
        for cell in stored
        if stored[cell]
    ]
    counted = [
        pair
        for cell in stored
        for a, b in zip(stored[cell], now[cell])
        if len(numbers(a)) == len(numbers(b))
        for pair in zip(numbers(a), numbers(b))
    ]
    reworded, moved = (sum(a != b for a, b in pairs) for pairs in (spoken, counted))
    low = (
        [f"{reworded} of {len(spoken)} cells use other words"]
        if reworded > max(1, (1 - WORDS) * len(spoken))
        else []
    )
    if moved > max(FEW, (1 - NUMBERS) * len(counted)):
        low.append(f"{moved} of {len(counted)} numbers are others")
    return low + differences(stored, now) if low else []
