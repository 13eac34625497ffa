"The lab, the pocket universe and the front page run from top to bottom too."

import pytest

from support import NBS
from support.notebooks import notebooks, play, short_name

pytestmark = pytest.mark.slow
LAB = notebooks("lab")
OTHERS = [*LAB, *notebooks("pocket"), NBS / "index.ipynb"]


def test_the_lab_is_found_in_its_folders():
    folders = {path.parent.name for path in LAB}
    assert {"lab", "clip", "data", "method", "prompts", "views", "experiments", "cli"} <= folders


@pytest.mark.parametrize("path", OTHERS, ids=short_name)
def test_notebook_runs(path, tmp_path):
    play(path, tmp_path)
