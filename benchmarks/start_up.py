"""Row (f): what a start costs, in processes of their own. `import pseudolab` against the libraries
that it puts off, and `pseudolab --help`; the floor is a bare Python.
"""

from functools import partial
from statistics import median

from measure import MAIN, Line, Options, interleaved, neighbours, python

COMMANDS = {
    "bare": ["-c", "pass"],
    "import": ["-c", "import pseudolab"],
    "libraries": ["-c", "import torch, open_clip"],
    "help": ["-c", MAIN, "--help"],
    "version": ["-c", MAIN, "--version"],
}


def line_of(name: str, what: str, found: dict[str, list[float]]) -> Line:
    return Line(
        row="f",
        what=f"{what}; against import torch, open_clip",
        ours=median(found[name]),
        plain=median(found["libraries"]),
        ratio=neighbours(found, "libraries", name),
        floor=median(found["bare"]),
        over_floor=neighbours(found, name, "bare"),
        note="the floor is a bare Python",
        details={"seconds": found},
    )


def measure(options: Options) -> list[Line]:
    runs = {name: partial(python, *arguments) for name, arguments in COMMANDS.items()}
    found = interleaved(runs, options.repetitions)
    return [
        line_of("import", "import pseudolab", found),
        line_of("help", "pseudolab --help", found),
        line_of("version", "pseudolab --version", found),
    ]
