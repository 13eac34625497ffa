"""Row (f): what a start costs, in processes of their own. `import pseudolab` against the libraries
that it puts off, and `pseudolab --help`; the floor is a bare Python.
"""

import os
import subprocess
import sys
from statistics import median

from measure import Line, interleaved, neighbours

COMMANDS = {
    "bare": ["-c", "pass"],
    "import": ["-c", "import pseudolab"],
    "libraries": ["-c", "import torch, open_clip"],
    "help": ["-c", "from pseudolab.cli.app import main; main()", "--help"],
    "version": ["-c", "from pseudolab.cli.app import main; main()", "--version"],
}


def start(arguments: list[str]):
    "Run this Python with `arguments`, and raise ValueError if that fails"
    done = subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": ""},
    )
    if done.returncode:
        raise RuntimeError(f"python {' '.join(arguments)} failed:\n{done.stderr}")


def measure(options) -> list[Line]:
    found = interleaved(
        {
            name: lambda arguments=arguments: start(arguments)
            for name, arguments in COMMANDS.items()
        },
        options.repetitions,
    )
    times, floor = {name: median(values) for name, values in found.items()}, median(found["bare"])
    line = lambda name, what: Line(
        "f",
        f"{what}; against import torch, open_clip",
        times[name],
        times["libraries"],
        neighbours(found, "libraries", name),
        floor,
        neighbours(found, name, "bare"),
        "the floor is a bare Python",
        {"seconds": found},
    )
    return [
        line("import", "import pseudolab"),
        line("help", "pseudolab --help"),
        line("version", "pseudolab --version"),
    ]
