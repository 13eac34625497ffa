"""The numbers on the front page are those that the package gives."""

import json

import pytest

from pseudolab.data.tasks import load_task
from pseudolab.experiments.demo import DEMO
from pseudolab.method.tuner import PromptTuner
from support import NBS, ROOT


@pytest.mark.slow
def test_the_front_page_says_what_the_demo_gives():
    """Zero-shot to half a point, the last round to six points: ten rounds of self-training amplify
    the rounding of another processor
    """
    stored = json.loads((NBS / "results" / "demo.json").read_text(encoding="utf-8"))
    (row,) = (row for row in stored["rows"] if row[0] == "satellite")
    zero_shot, last = (float(cell.split()[0]) / 100 for cell in row[1:3])
    run = PromptTuner(**DEMO).fit(load_task("satellite"), progress=False)
    assert abs(run.rounds[0].score - zero_shot) < 0.005
    assert abs(run.score - last) < 0.06
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert f"{100 * zero_shot:.1f} %" in text
    assert f"{100 * last:.1f} %" in text
    assert f"`run.score` is {last:.3f}" in text
