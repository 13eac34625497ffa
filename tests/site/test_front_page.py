"""The numbers on the front page are those that the package gives, on whatever machine."""

import pytest

from pseudolab.data.tasks import load_task
from pseudolab.experiments.grid import HEADLINE, headline_table, read_grid
from pseudolab.method.tuner import PromptTuner
from support import ROOT


@pytest.fixture(scope="module")
def run():
    return PromptTuner(**HEADLINE, seed=0).fit(load_task("satellite"), progress=False)


@pytest.mark.slow
def test_the_example_gives_the_numbers_that_stand_beside_it(run):
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert f"`run.score` is {run.score:.3f}" in text
    assert f"`run.rounds[0].score`, is {run.rounds[0].score:.3f}" in text


@pytest.mark.slow
def test_the_run_is_the_grids(run):
    runs = read_grid().query("task == 'satellite' and seed == 0")
    (kept,) = runs[(runs[list(HEADLINE)] == list(HEADLINE.values())).all(axis=1)].to_dict("records")
    assert kept["zero_shot"] == round(run.rounds[0].score, 4)
    assert kept["score"] == round(run.score, 4)


def test_the_readme_has_the_table():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for row in headline_table(read_grid()).to_numpy():
        assert "| " + " | ".join(row) + " |" in text
