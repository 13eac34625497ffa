"""Damages run folders in every way of `support.damage`, and sees what those who read them get.

    python tests/damage.py --cases 300

Of each folder a report, an export, predictions and a resumed run are made. A case gave a sentence
where at least one of them refused it in one line and the others gave what they give for the whole
folder; a traceback; or a silent wrong result, which is any other result, or none of the four
noticing.
"""

import argparse
import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from support.bench import SENTENCE, TRACEBACK, WRONG, bench, play


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=300)
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--show", action="store_true", help="say what was done and said")
    options = parser.parse_args()
    counts: Counter[str] = Counter()
    with bench() as made:
        for number in range(options.first, options.first + options.cases):
            kind, done, said = play(made, number)
            counts[kind] += 1
            if kind != SENTENCE or options.show:
                print(f"case {number}: {kind}: {done}\n    {said}")
    print(" / ".join(f"{counts[kind]} {kind}" for kind in (SENTENCE, TRACEBACK, WRONG)))
    return int(counts[SENTENCE] != options.cases)


if __name__ == "__main__":
    sys.exit(main())
