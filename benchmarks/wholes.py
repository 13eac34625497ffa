"""Row (l): what a newcomer waits for. `pseudolab demo` in a process of its own with an empty cache,
against importing torch and open_clip; and all notebooks, played from top to bottom by two workers,
against one after the other.
"""

import re
import tempfile
from functools import partial
from pathlib import Path
from statistics import median

from measure import MAIN, Line, Options, interleaved, neighbours, python, seconds

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = [
    str(ROOT / "tests" / "notebooks" / name)
    for name in ("test_lab_notebooks.py", "test_notebooks.py")
]
WORKERS = 2
# a line of pytest's --durations: "12.34s call     tests/...::test_lesson_runs[00_whole_game]"
CALL = re.compile(r"^([\d.]+)s call +\S+::test_\w+_runs\[(.+)\]$", re.MULTILINE)


def demo() -> None:
    with tempfile.TemporaryDirectory() as home:
        python("-c", MAIN, "demo", home=Path(home))


def demo_line(options: Options) -> Line:
    runs = {"demo": demo, "libraries": partial(python, "-c", "import torch, open_clip")}
    found = interleaved(runs, max(1, options.repetitions // 2), warm_up=False)
    return Line(
        row="l",
        what="pseudolab demo; against import torch, open_clip",
        ours=median(found["demo"]),
        plain=median(found["libraries"]),
        ratio=neighbours(found, "libraries", "demo"),
        note="from an empty cache",
        details={"seconds": found},
    )


def notebooks_line() -> Line:
    said: list[str] = []
    words = ["-m", "pytest", "-q", "--durations=0", "--durations-min=0", "-n", str(WORKERS)]
    ours = seconds(lambda: said.append(python(*words, *NOTEBOOKS)))
    single = {name: float(time) for time, name in CALL.findall(said[0])}
    slowest = max(single, key=lambda name: single[name])
    plain = sum(single.values())
    return Line(
        row="l",
        what=f"all {len(single)} notebooks, {WORKERS} side by side; against one after the other",
        ours=ours,
        plain=plain,
        ratio=plain / ours,
        note=f"the slowest: {slowest}, {single[slowest]:.0f} s",
        details={"seconds": single, "slowest": single[slowest]},
    )


def measure(options: Options) -> list[Line]:
    return [demo_line(options), notebooks_line()]
