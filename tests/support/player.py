"""Runs notebooks one after the other, each in a process of its own that begins with the libraries
loaded: torch, torchvision and open_clip take a notebook longer to load than most take to run.

Reads from its input a line per notebook, and answers with the exit status of its process: 0 where
all cells ran.
"""

import json
import os
import signal
import sys
import traceback
from typing import Any

# what notebooks load; pseudolab is left for each to load itself
import matplotlib.pyplot
import nbdev.test
import open_clip
import pandas
import scipy.sparse.linalg
import seaborn
import sklearn.linear_model
import torch
import torchvision

LOADED = (matplotlib, open_clip, pandas, scipy, seaborn, sklearn, torch, torchvision)


def play(asked: dict[str, Any]) -> bool:
    "Run a notebook as nbdev-test does, and write what it has put out"
    write = nbdev.test.write_nb
    nbdev.test.write_nb = lambda notebook, _: write(notebook, asked["target"])
    passed, _ = nbdev.test.test_nb(asked["source"], skip_flags=asked["flags"], save=True)
    return passed


def play_and_end(asked: dict[str, Any]) -> None:
    "In the new process: what is said goes to a file"
    signal.alarm(asked["seconds"])
    said = os.open(asked["said"], os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(said, 1)
    os.dup2(said, 2)
    passed = False
    try:
        passed = play(asked)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(not passed)


def main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            play_and_end(json.loads(line))
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), file=answers, flush=True)


if __name__ == "__main__":
    main()
