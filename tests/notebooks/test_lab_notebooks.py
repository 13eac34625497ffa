"""The lab, the pocket universe and the front page run from top to bottom too; in a file of their
own, so that another process can take them.
"""

import pytest

from test_notebooks import ROOT, play

OTHERS = sorted(
    [*ROOT.glob("nbs/lab/*.ipynb"), *ROOT.glob("nbs/pocket/*.ipynb"), ROOT / "nbs/index.ipynb"]
)


@pytest.mark.parametrize("path", OTHERS, ids=lambda path: path.stem)
def test_notebook_runs(path, tmp_path):
    play(path, tmp_path)
